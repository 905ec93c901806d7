"""Between pytest and the stage: what is played where, how a verdict becomes an outcome."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import _parse_expression

from iolab.harness.backends import choose
from iolab.harness.backends.base import Backend, Family
from iolab.harness.backends.identity import VARIABLE, current_id, new_id
from iolab.harness.errors import UsageError
from iolab.harness.judge import Judgement
from iolab.harness.lab.lab import Lab
from iolab.harness.places import runs
from iolab.harness.report.outcome import Outcome, broken_off, unsupported
from iolab.harness.report.results import Run
from iolab.harness.run import keeping
from iolab.harness.run.about import about
from iolab.harness.run.options import Options
from iolab.harness.run.stage import Stage
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.playing import Playing
from iolab.harness.scenarios.scenario import CATALOGUE, Scenario
from iolab.harness.subject.manifest import Subject

OPTIONS = pytest.StashKey[Options]()
BACKEND = pytest.StashKey[Backend]()
RUN = pytest.StashKey[Run]()
STAGE = pytest.StashKey[Stage]()
SESSION = pytest.StashKey[pytest.Session]()
CHOSE_WORKERS = pytest.StashKey[bool]()

# Scenarios wait most of their time: for timers of the subject, for packets, for containers.
WORKERS_PER_CPU = 4
MOST_WORKERS = 12

# In a run's folder, what pytest takes for the system's folder of temporary files.
_TEMPORARY = "tmp"


@dataclass(frozen=True)
class Form:
    """In which form a scenario is played by one test."""

    subject: Subject
    family: Family
    case: str
    quiet: bool


def is_worker(config: pytest.Config) -> bool:
    """Whether this process plays for another one that collects the results."""
    return hasattr(config, "workerinput")


def check_expressions(config: pytest.Config) -> None:
    """UsageError for a wrong `-k` or `-m`; pytest finds out when it has collected, in a worker."""
    for option in ("-k", "-m"):
        try:
            _parse_expression(config.getoption(option), f"{option}: cannot be read")
        except pytest.UsageError as error:
            raise UsageError(str(error)) from None


def set_workers(config: pytest.Config) -> None:
    """Play side by side unless `-n` says otherwise, or a debugger wants the terminal."""
    alone = any(map(config.getoption, ("usepdb", "collectonly", "keep_on_fail")))
    if is_worker(config) or alone or config.getoption("numprocesses", None) is not None:
        return
    workers = min(MOST_WORKERS, WORKERS_PER_CPU * len(os.sched_getaffinity(0)))
    config.stash[CHOSE_WORKERS] = True
    config.option.numprocesses = workers
    config.option.dist = "worksteal"
    config.option.tx = ["popen"] * workers


def spare_workers(config: pytest.Config, workers: list[Any]) -> None:
    """Take from the list of workers to be started those for which there is no playing.

    Who knows what `-k` leaves has to collect. The workers collect for themselves, so the main
    process does nothing else with what it finds.
    """
    if config.stash.get(CHOSE_WORKERS, False):
        playings = len(config.stash[SESSION].perform_collect())
        del workers[max(1, playings) :]
        # By this its scheduler knows for how many to wait.
        config.option.tx = config.option.tx[: len(workers)]


def start(config: pytest.Config) -> None:
    """What the run's main process does once: choose the backend, and prepare it."""
    if config.getoption("collectonly"):
        return
    options = config.stash[OPTIONS]
    if is_worker(config):
        name = config.workerinput["iolab"]["backend"]  # type: ignore[attr-defined]
        config.stash[BACKEND] = choose.backend(name, current_id())
        return
    run_id = os.environ[VARIABLE] = new_id()
    _see_that_runs_can_be_kept()
    chosen, why = choose.prepared(options.backend, run_id)
    print(why, flush=True)
    why_not = chosen.why_no_ipv6()
    if 6 in options.families and why_not is not None:
        chosen.close()
        raise UsageError(f"--ip: must be 4 with the backend {chosen.name} here: {why_not}")
    config.stash[BACKEND] = chosen
    config.stash[RUN] = about(options, chosen, config.getoption("keyword"))
    keeping.forget_old(runs())
    if not config.getoption("basetemp"):
        # What pytest makes in the system's folder would outlive the run.
        folder().mkdir(parents=True)
        config.option.basetemp = folder() / _TEMPORARY


def handed_down(config: pytest.Config) -> dict[str, str]:
    """What a worker must know."""
    return {"backend": config.stash[BACKEND].name}


def finish(config: pytest.Config) -> None:
    """The run is over: nothing of it may be left on the machine."""
    backend = config.stash.get(BACKEND, None)
    if backend is None:
        return
    if is_worker(config):
        backend.close_labs()
    else:
        backend.close()
        with contextlib.suppress(OSError):  # it is not there, or somebody's files are in it
            (folder() / _TEMPORARY).rmdir()


def folder() -> Path:
    """Where this run's observations are."""
    return runs() / current_id()


def _see_that_runs_can_be_kept() -> None:
    try:
        runs().mkdir(exist_ok=True)
        if not os.access(runs(), os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UsageError(
            f"{runs()}: what is observed cannot be kept there: {error.strerror}"
        ) from None


def observations() -> str | None:
    """Where this run's observations are, in words; None where nothing was played."""
    return keeping.told(folder()) if folder().is_dir() else None


def print_catalogue() -> None:
    """Every scenario with its title, by category."""
    load_catalogue()
    for entry in CATALOGUE.values():
        forms = [case for case in entry.cases if case] + (["quiet"] if entry.quiet else [])
        print(f"{entry.id:34} {entry.title}" + (f" ({', '.join(forms)})" if forms else ""))


def forms(entry: Scenario, options: Options) -> Iterator[Form]:
    """The forms in which a run plays a scenario."""
    for subject in options.subjects:
        only = options.only.get(subject.name)
        for family in options.families:
            for case in entry.cases:
                for quiet in [False, True] if entry.quiet else [False]:
                    if only is None or not only.isdisjoint(entry.names(case, quiet)):
                        yield Form(subject, family, case, quiet)


def stage(config: pytest.Config) -> Stage:
    """The stage of this process, made when it is first asked for."""
    if STAGE not in config.stash:
        options = config.stash[OPTIONS]
        config.stash[STAGE] = Stage(
            config.stash[BACKEND],
            folder(),
            pcap=options.pcap,
            keep=_keeper(config) if options.keep_on_fail else None,
        )
    return config.stash[STAGE]


def _keeper(config: pytest.Config) -> Callable[[Judgement, Lab], None]:
    """Shows a lab in which something failed, and keeps it until somebody says to go on."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def keep(judgement: Judgement, lab: Lab) -> None:
        capture.suspend(in_=True)
        try:
            print(f"\n\n{judgement.label} against {lab.subject.name}: the lab is kept.")
            for finding in judgement.findings:
                print(f"  {finding.side}: {finding.level} ({finding.cause}): {finding.summary}")
            print(f"  the server is at {lab.target[0]} port {lab.target[1]} inside the lab")
            for command in lab.nodes.entrances():
                print(f"  {command}")
            input("Enter removes it and goes on; Ctrl-C ends the run. ")
        finally:
            capture.resume()

    return keep


def play(stage: Stage, item: pytest.Item, scenario: Scenario, form: Form) -> None:
    """Play one form of a scenario; the verdict becomes the test's outcome."""
    options = item.config.stash[OPTIONS]
    subject = form.subject
    reason = scenario.unsupported(
        subject.promises, stage.backend.missing(), scenario.cases[form.case]
    )
    playing = Playing(scenario, subject, form.family, form.case, form.quiet, options.scale)
    if reason is not None:
        item.user_properties += unsupported(playing, reason).properties()
        pytest.skip(f"UNSUPPORTED: {reason}")
    try:
        outcome = stage.play(playing)
    except Exception as error:
        item.user_properties += broken_off(playing, error).properties()
        raise
    item.user_properties += outcome.result().properties()
    conclude(outcome)


def conclude(outcome: Outcome) -> None:
    """Fail the test if the playing did not pass, and say why."""
    if not outcome.passed:
        pytest.fail(outcome.in_words(), pytrace=False)
