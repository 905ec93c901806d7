"""Which backend is taken, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType

import pytest

from iolab.harness.backends import choose
from iolab.harness.backends.base import NEEDS, Backend, BackendError, BackendUnavailable
from iolab.harness.backends.declared import ALL, PROCESSES, page
from iolab.harness.backends.namespaces.backend import Namespaces
from iolab.harness.errors import UsageError


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    reasons: Mapping[str, str | None],
    unprepared: Mapping[str, str] | None = None,
) -> list[str]:
    """Let each backend be unavailable for that reason, or work (None).

    One of `unprepared` passes its check and cannot be prepared, for that reason. Returns what is
    done to which, as it happens.
    """
    module = ModuleType("pretended")
    monkeypatch.setitem(sys.modules, "pretended", module)
    done: list[str] = []
    for name, reason in reasons.items():
        setattr(module, name, _pretended(name, reason, (unprepared or {}).get(name), done))
        monkeypatch.setitem(choose.BACKENDS, name, f"pretended:{name}")
    return done


def _pretended(
    name: str, reason: str | None, unprepared: str | None, done: list[str]
) -> type[Backend]:
    class Pretended(Backend):
        def __init__(self, run_id: str) -> None:
            self.run_id = run_id

        def check(self) -> None:
            if reason is not None:
                raise BackendUnavailable(reason)

        def prepare(self) -> None:
            done.append(f"{name} prepared")
            if unprepared is not None:
                raise BackendError(unprepared)

        def close(self) -> None:
            done.append(f"{name} closed")

    Pretended.name = name
    Pretended.__abstractmethods__ = frozenset()
    return Pretended


@pytest.mark.parametrize(
    ("reasons", "line"),
    [
        ({"docker": None}, "backend: docker (the best one)"),
        (
            {"docker": "no engine", "namespaces": None},
            "backend: namespaces (not docker: no engine)",
        ),
        (
            {"docker": "no engine", "namespaces": "/proc is covered", "processes": None},
            "backend: processes (not docker: no engine; not namespaces: /proc is covered)",
        ),
    ],
)
def test_auto_takes_the_best_and_says_why(
    monkeypatch: pytest.MonkeyPatch, reasons: Mapping[str, str | None], line: str
) -> None:
    pretend(monkeypatch, reasons)
    chosen, why = choose.prepared("auto", "a-run")
    assert why == line
    assert chosen.name == line.split()[1]
    assert chosen.run_id == "a-run"


def test_an_engine_for_which_no_image_can_be_had_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = pretend(monkeypatch, {"docker": None, "namespaces": None}, {"docker": "no base image"})
    chosen, why = choose.prepared("auto", "a-run")
    assert chosen.name == "namespaces"
    assert why == "backend: namespaces (not docker: no base image)"
    assert done == ["docker prepared", "docker closed", "namespaces prepared"]
    with pytest.raises(UsageError, match=r"^--backend docker: no base image$"):
        choose.prepared("docker", "a-run")


def test_the_one_that_was_asked_for_is_taken_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"docker": None, "namespaces": "no: change this", "processes": None})
    assert choose.prepared("processes", "a-run")[1] == "backend: processes (as asked)"
    with pytest.raises(UsageError, match=r"^--backend namespaces: no: change this$"):
        choose.prepared("namespaces", "a-run")


def test_where_nothing_works_all_reasons_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {"docker": "a", "namespaces": "b", "processes": "c"})
    with pytest.raises(UsageError, match="not docker: a; not namespaces: b; not processes: c"):
        choose.prepared("auto", "a-run")


def test_declarations_are_of_the_backends_and_name_needs() -> None:
    assert [declaration.name for declaration in ALL] == list(choose.BACKENDS)
    for declaration in ALL:
        assert {*declaration.conditions, *declaration.absent} <= set(NEEDS)


def test_nothing_is_missing_that_is_not_declared() -> None:
    by_name = {declaration.name: declaration for declaration in ALL}
    assert choose.backend("processes", "a-run").missing() == PROCESSES.absent
    missing = Namespaces("a-run").missing()
    assert set(missing) <= set(by_name["namespaces"].conditions)


def test_the_page_tells_what_is_never_played() -> None:
    text = page({"vanish.idle": ["wire"], "reply.sizes": [], "resource.starved": ["cpu-limit"]})
    assert "- It never plays `resource.starved`, `vanish.idle`.\n" in text
    assert "| `cable`: a node unplugged from the network | yes | yes | no: " in text
    assert text == page({"vanish.idle": ["wire"], "resource.starved": ["cpu-limit"]})
