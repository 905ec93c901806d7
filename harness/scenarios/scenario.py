"""A scenario: what is played, what must hold and why, in one place beside the code.

A scenario file decorates the function that plays it:

    @scenario("disconnect.rst-idle", title=…, expects=…, why=…, cites=(Cite(…, …),), quiet=True)
    def rst_idle(lab: Lab) -> None: …

which enters it into the catalogue. It is played once for each subject, address family, case and
playing, each of them a test of pytest's (`harness/run/collection.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from iolab.harness.lab.bystanders import BYSTANDERS
from iolab.harness.lab.fault import Fault

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab
    from iolab.harness.subject.manifest import Promises

Body = Callable[["Lab"], None]

CATALOGUE: dict[str, Scenario] = {}
CATEGORIES = (
    "connect",
    "reply",
    "disconnect",
    "vanish",
    "slow",
    "resource",
    "network",
    "lifecycle",
)

# To answer one client, and to let it go, is in every nature: a way of waiting may keep others
# waiting, or never rest.
ByNature = Literal["never", "crowds", "always"]
NATURE: Mapping[str, ByNature] = {"reply": "crowds", "disconnect": "crowds"}

NO_CASE = ""

# So many clients a second come together at least, on a busy machine.
CROWD_PER_S = 1000


@dataclass(frozen=True)
class Cite:
    """A source, and the one thing that it says and a scenario rests on, in our own words."""

    source: str
    """A manual page, or an RFC and its section, with the name under which it is found there."""

    says: str
    """A clause, without a full stop. It must be true of the source, read there and not recalled."""

    def __str__(self) -> str:
        return f"{self.source}: {self.says}"


@dataclass(frozen=True)
class Scenario:
    """One test of a subject. Its category is the part of `id` before the dot.

    ValueError where a citation is missing, or says nothing.
    """

    id: str
    title: str
    expects: str
    why: str
    cites: tuple[Cite, ...]
    body: Body
    quiet: bool = False
    promises: tuple[str, ...] = ()
    faults: tuple[type[Fault], ...] = ()
    abilities: tuple[str, ...] = ()
    rounds: int = 1
    cases: Mapping[str, Any] = field(default_factory=lambda: {NO_CASE: None})
    connections: Callable[[Any], int] = field(default=lambda case: 1)
    # Judged by this one alone: whether the subject rests even before the scenario; whether every
    # answer of it is late.
    names_restless: bool = False
    names_slow: bool = False
    # Which of its cases a subject may be stated to fail by its nature; None: as its category.
    by_nature: ByNature | None = None
    # Why a case cannot be asked of who promises this; None when it can.
    unsuited: Callable[[Promises, Any], str | None] = field(default=lambda promises, case: None)

    def __post_init__(self) -> None:
        if not self.cites:
            raise ValueError(f"{self.id}: cites nothing")
        for cite in self.cites:
            # Whoever writes a scenario may have forgotten the words, or the comma behind them.
            if not isinstance(cite, Cite) or not (cite.source.strip() and cite.says.strip()):
                raise ValueError(f"{self.id}: cites {cite!r}: a source and what it says are needed")

    @property
    def needs(self) -> tuple[str, ...]:
        """What a backend must be able to do: what the faults need, and `abilities` besides."""
        of_faults = (need for fault in self.faults for need in fault.needs)
        return tuple(dict.fromkeys((*of_faults, *self.abilities)))

    def may_fail_by_nature(self, cases: Iterable[Any]) -> bool:
        """Whether a manifest may state that the subject fails these cases by its nature."""
        allowed = self.by_nature or NATURE.get(self.id.partition(".")[0], "always")
        if allowed == "crowds":
            return all(self.connections(case) > 1 for case in cases)
        return allowed == "always"

    def label(self, case: str, quiet: bool) -> str:
        """`connect.concurrent/900 quiet`: how a playing is named in tables and files."""
        return self.id + (f"/{case}" if case else "") + (" quiet" if quiet else "")

    def names(self, case: str, quiet: bool) -> tuple[str, ...]:
        """All by which a manifest or an option may mean this playing, the most exact one first."""
        return (self.label(case, quiet), self.label(case, False), self.id)

    def unsupported(self, promises: Promises, missing: Mapping[str, str], case: Any) -> str | None:
        """Why it cannot be asked of this subject on this backend; None when it can."""
        for name in self.promises:
            if getattr(promises, name) in (None, False):
                return f"the manifest does not promise {name}"
        for name in self.needs:
            if name in missing:
                return missing[name]
        wanted = self.connections(case)
        most = promises.max_connections
        beside = BYSTANDERS if most is None or most > BYSTANDERS else 0
        if most is not None and most < wanted + beside:
            others = f" and its {beside} bystanders" if beside else ""
            return f"needs {wanted} connections{others}; max_connections = {most}"
        if (why := self.unsuited(promises, case)) is not None:
            return why
        return None


def too_impatient(promises: Promises, crowd: int) -> str | None:
    """Why a crowd of so many cannot come together: the first would be timed out before the last."""
    timeout, takes_s = promises.idle_timeout_s, crowd / CROWD_PER_S
    if timeout is None or timeout > takes_s:
        return None
    return f"{crowd} clients may take {takes_s:g} s to come together; idle_timeout_s = {timeout:g}"


def scenario(
    id: str, *, title: str, expects: str, why: str, cites: tuple[Cite, ...], **options: Any
) -> Callable[[Body], Body]:
    """Enter the decorated function into the catalogue under `id`; options are Scenario's fields."""

    def enter(body: Body) -> Body:
        if id in CATALOGUE:
            raise ValueError(f"two scenarios have the id {id}")
        CATALOGUE[id] = Scenario(id, title, expects, why, cites, body, **options)
        return body

    return enter
