"""The options of `pytest harness/`, checked before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iolab.harness.backends.base import Family
from iolab.harness.errors import UsageError
from iolab.harness.places import SUBJECTS
from iolab.harness.scenarios.catalogue import load_catalogue
from iolab.harness.scenarios.nature import check_nature
from iolab.harness.subject.manifest import Subject, load

BACKENDS = ("auto", "docker", "namespaces", "processes")
FAMILIES: dict[str, tuple[Family, ...]] = {"4": (4,), "6": (6,), "both": (4, 6)}

# How often what a scenario repeats is repeated, as a factor: connections that come and go, messages
# of a conversation. How many are there at once is a scenario's case, and how large a message may be
# is the subject's promise.
SCALES = {"quick": 1, "normal": 5, "heavy": 25}

_TIMES = ", ".join(f"{name} ({factor}×)" for name, factor in SCALES.items())

DEFAULT_MODEL = "select"


@dataclass(frozen=True)
class Options:
    """What one run plays."""

    backend: str
    subjects: tuple[Subject, ...]
    only: Mapping[str, frozenset[str]]
    families: tuple[Family, ...]
    scale: int
    keep_on_fail: bool
    pcap: bool
    results: Path | None


def declare(add: Callable[..., object]) -> None:
    """Declare the options by `add`, argparse's or pytest's; `read` checks their values."""
    add("--backend", default="auto", help=f"where labs run: {', '.join(BACKENDS)}")
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help=f"one of our own servers, subjects/NAME.toml (repeatable; default: {DEFAULT_MODEL})",
    )
    add(
        "--subject",
        action="append",
        default=[],
        metavar="FILE",
        help="the manifest of a server to test (repeatable)",
    )
    add(
        "--only",
        action="append",
        default=[],
        metavar="SUBJECT:PLAYING",
        help="of that subject play nothing but this, named by ID, or more exactly (repeatable)",
    )
    add("--ip", default="4", help="address family: 4 (default), 6 or both")
    add("--scale", default="quick", help=f"how much coming, going, talking: {_TIMES}")
    add(
        "--keep-on-fail",
        action="store_true",
        help="play one after the other, and stop in the lab of a failure",
    )
    add("--pcap", action="store_true", help="keep a capture of every playing, not of failures only")
    add("--results", metavar="FILE", help="write what was found to FILE, as JSON")
    add("--list", action="store_true", help="print the catalogue and end")


def read(config: Any) -> Options:
    """The options as given; UsageError names the one that is wrong and what is allowed."""
    backend = _one_of("--backend", config.getoption("--backend"), BACKENDS)
    families = FAMILIES[_one_of("--ip", config.getoption("--ip"), tuple(FAMILIES))]
    scale = SCALES[_one_of("--scale", config.getoption("--scale"), tuple(SCALES))]
    manifests = [Path(name) for name in config.getoption("--subject")]
    models = config.getoption("--model") or ([] if manifests else [DEFAULT_MODEL])
    subjects = [*(model(name) for name in models), *(load(path) for path in manifests)]
    for subject in subjects:
        check_nature(subject)
    names = [subject.name for subject in subjects]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--subject: two subjects are named {name!r}")
    if config.getoption("--keep-on-fail") and not _at_a_terminal(config):
        raise UsageError("--keep-on-fail: needs a terminal, where somebody says when to go on")
    return Options(
        backend,
        tuple(subjects),
        _only(config.getoption("--only"), names),
        families,
        scale,
        config.getoption("--keep-on-fail"),
        config.getoption("--pcap"),
        _results(config.getoption("--results")),
    )


def _only(words: Iterable[str], subjects: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """What is played of a subject, by its name, where it is not the whole catalogue."""
    chosen: dict[str, frozenset[str]] = {}
    if not words:
        return chosen
    playings = {
        name
        for entry in load_catalogue().values()
        for case in entry.cases
        for name in entry.names(case, quiet=entry.quiet)
    }
    for word in words:
        subject, _, playing = word.partition(":")
        if subject not in subjects:
            raise UsageError(f"--only: must begin with a subject of this run, not {word!r}")
        if playing not in playings:
            raise UsageError(f"--only: {playing!r} is no playing of the catalogue (--list)")
        chosen[subject] = chosen.get(subject, frozenset()) | {playing}
    return chosen


def _at_a_terminal(config: Any) -> bool:
    """Whether somebody can press Enter; pytest's capture hides the terminal from the tests."""
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.suspend(in_=True)
    try:
        return sys.stdin.isatty()
    finally:
        capture.resume()


def _results(name: str | None) -> Path | None:
    """Where the results go: found out before a run of minutes, not behind it."""
    if not name:
        return None
    path = Path(name).absolute()
    if path.is_dir() or not path.parent.is_dir():
        raise UsageError(f"--results: must be a file in a folder that is there, not {name!r}")
    return path


def model(name: str) -> Subject:
    """One of our own servers, by name."""
    known = sorted(path.stem for path in SUBJECTS.glob("*.toml"))
    return load(SUBJECTS / f"{_one_of('--model', name, tuple(known))}.toml")


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise UsageError(f"{option}: must be one of {', '.join(allowed)}, not {value!r}")
    return value
