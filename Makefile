# `make` explains itself: the text after `##` is a target's help.

PYTHON := .venv/bin/python
SET_UP := .venv/set-up
BENCH_SET_UP := .venv/bench-set-up
CACHES := .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Passed on only when given, so that each default stands in one place: in the program.
option = $(if $($(1)),--$(2) '$($(1))')
BACKEND_OPTION = $(call option,BACKEND,backend)
LAB_OPTIONS = $(BACKEND_OPTION) $(call option,MODEL,model) $(call option,CLIENTS,clients) \
    $(call option,DURATION,duration) $(call option,REPLY,reply)
TEST_OPTIONS = $(BACKEND_OPTION) $(foreach model,$(MODEL),--model '$(model)') $(ARGS)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab client test unit scenarios gallery bench pictures images check format sweep clean

help: ## this list
	@echo 'iolab, a laboratory for TCP servers'
	@echo
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo 'Settings, as in `make lab MODEL=poll DURATION=20`:'
	@echo '  BACKEND=    docker, namespaces, processes, or auto: the best one that this machine allows'
	@echo '  MODEL=      how the server waits: select, poll, epoll, blocking, … (lab, test, pictures)'
	@echo '  CLIENTS=    how many clients of each personality (lab)'
	@echo '  DURATION=   seconds after which the lab ends by itself (lab)'
	@echo '  CONTROLS=   some: deal the catalogue out among the correct servers (gallery)'
	@echo '  REPLY=      operator: this terminal answers the clients (lab)'
	@echo '  ARGS=       more options, as in ARGS="-k disconnect" (test), ARGS=--quick (bench)'
	@echo '  BASE_IMAGE= the image to start from, with Python 3.11 or newer (docker)'

lab: $(SET_UP) ## watch a server and its clients live; Ctrl-C ends it
	@$(PYTHON) -m iolab lab $(LAB_OPTIONS)

client: $(SET_UP) ## take part in the running lab by hand, from a second terminal
	@$(PYTHON) -m iolab client

test: unit scenarios ## unit tests, then all scenarios against the server; writes junit.xml

unit: $(SET_UP) ## the first half of `test`
	@$(PYTHON) -m pytest tests -n 4 || { echo 'What failed among the others is run once more, alone:'; \
	    $(PYTHON) -m pytest tests --last-failed --last-failed-no-failures none; }

scenarios: $(SET_UP) ## the second half of `test`
	@$(PYTHON) -m pytest harness/ --junitxml junit.xml $(TEST_OPTIONS)

gallery: $(SET_UP) ## is each broken server caught, and no correct one blamed? (namespaces)
	@$(PYTHON) -m tests.gallery $(BACKEND_OPTION) $(call option,CONTROLS,controls) $(ARGS)

bench: $(BENCH_SET_UP) ## measure our models beside other servers; writes docs/performance.md
	@$(PYTHON) -m bench $(ARGS)

pictures: $(SET_UP) ## record and draw what each model does while it waits (docs/io-models.md)
	@$(PYTHON) -m iolab pictures $(BACKEND_OPTION) $(call option,MODEL,model)

images: $(SET_UP) ## build the images for Docker, where something changed
	@$(PYTHON) -m iolab images

check: $(SET_UP) ## lint, types, formatting, generated pages; changes nothing
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m iolab docs --check

format: $(SET_UP) ## rewrite the code as `check` wants it, and the generated pages
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m iolab docs

sweep: $(SET_UP) ## remove what dead runs left behind
	@$(PYTHON) -m iolab sweep

clean: ## remove all that the project made: leftovers, images, environment, caches
	@if [ -e $(SET_UP) ]; then $(PYTHON) -m iolab clean; fi
	@rm -rf .venv $(CACHES) runs junit.xml docker/wheels/*.whl
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SET_UP): requirements.txt pyproject.toml tools/set-up
	@tools/set-up .venv
	@touch $@

# What cannot be installed is said to be absent, and the others are measured; next time it is tried
# again.
$(BENCH_SET_UP): requirements-bench.txt tools/set-up | $(SET_UP)
	@if tools/set-up .venv requirements-bench.txt; then touch $@; \
	    else echo 'The benchmark goes on without those.'; fi
