"""The iptables rules that lead packets to the queue, in the network namespace of this process.

## Theory of operation

Two chains of our own in the table `mangle`, one a direction, are entered from PREROUTING and
POSTROUTING by TCP packets that do not carry the wire's mark and do not pass the loopback device:

    PREROUTING  ! -i lo -p tcp -m mark ! --mark 0x10ab -j iolab-in
    POSTROUTING ! -o lo -p tcp -m mark ! --mark 0x10ab -j iolab-out

In a chain, each rule of the wire has two lines with the same match. The first has no target, so it
counts and goes on; all of these come before the second ones, whose target NFQUEUE ends the walk. A
packet of several rules is thus counted for each and queued once. Lines are known by their comment
(`iolab-rule-3`), and deleting the two chains takes away all there ever was.

NFQUEUE, and not `-j DROP` in OUTPUT: that returns an error to the sending TCP, which keeps the data
as unsent and goes on with its zero-window probes (`TCP_INFO`: notsent 1, unacked 0, probes 3 before
ETIMEDOUT). What NFQUEUE takes was sent as far as TCP can tell: it is unacknowledged, and is
retransmitted, tail loss probe and back-off included (notsent 0, unacked 1, 4 retransmissions).

No `--queue-bypass`: with nobody at the queue the kernel drops the packets of these flows. With it,
they would pass as if there were no fault, and a dead engine would look like a healthy network.

Every change is one `iptables-restore`, which is atomic, and is read back by `iptables-save -c`.
The lock file of the legacy back end (`/run/xtables.lock`) may be out of reach: the root is
read-only, or it belongs to the host's root. The namespace is ours, so nobody else need be kept out:
the lock is a file in memory. Sources: iptables(8), iptables-restore(8), iptables-extensions(8).
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Generator, Iterable
from typing import NamedTuple

from iolab.harness.beside.wire.commands import INHERITED, Command, Outcome, Plan
from iolab.harness.beside.wire.inject import MARK
from iolab.harness.beside.wire.rules import IN, Rule

_BINARY: dict[int, str] = {socket.AF_INET: "iptables", socket.AF_INET6: "ip6tables"}
_BACKENDS: tuple[str, ...] = ("", "-nft", "-legacy")  # what the system chose, then what else
_HOOKS = {
    "iolab-in": f"PREROUTING ! -i lo -p tcp -m mark ! --mark {MARK:#x} -j iolab-in",
    "iolab-out": f"POSTROUTING ! -o lo -p tcp -m mark ! --mark {MARK:#x} -j iolab-out",
}
_SET_UP = [f":{chain} - [0:0]" for chain in _HOOKS] + [f"-A {hook}" for hook in _HOOKS.values()]
_UNHOOK = [f"-D {hook}" for hook in _HOOKS.values()]
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class TablesError(Exception):
    """What iptables refused, or did not do: one line."""


class Tables:
    """The wire's chains. Its methods are plans: see `commands.py`."""

    def __init__(self, queue: int, families: Iterable[int]) -> None:
        self._queue = queue
        self._families = tuple(families)
        self._backends: dict[int, str] = {}  # families that are set up, and how
        self._rules: dict[int, Rule] = {}
        self._said = ""  # what the last change complained of
        self._lock = os.memfd_create("xtables.lock")

    def add(self, number: int, rule: Rule) -> Plan:
        """Put the rule's lines in place and see them there. Raises TablesError."""
        placed = []
        lines = _lines(number, rule, self._queue)
        changes = [f"-I {line.chain} 1 {line.counting}" for line in lines]
        changes += [f"-A {line.chain} {line.queueing}" for line in lines]
        try:
            for family in self._families_of(rule):
                yield from self._set_up(family)
                placed.append(family)
                listing = yield from self._change(family, changes)
                seen, hooked = _count(listing, number), _count_hooks(listing)
                if (seen, hooked) != (len(changes), len(_HOOKS)):
                    raise self._error(
                        family,
                        f"{seen} of {len(changes)} lines of rule {number} and "
                        f"{hooked} of {len(_HOOKS)} hooks are in place",
                    )
        except TablesError:
            for family in placed:
                if _count((yield from self._save(family)), number):
                    yield from self._delete(family, number, rule)
            raise
        self._rules[number] = rule

    def remove(self, number: int) -> Plan:
        """Take the rule's lines away and see them gone. Raises TablesError."""
        rule = self._rules.pop(number)
        for family in self._families_of(rule):
            yield from self._delete(family, number, rule)

    def counters(self) -> Generator[Command, Outcome, dict[int, int]]:
        """Packets that each rule's counting lines saw, by number. A super-packet counts once."""
        counts = dict.fromkeys(self._rules, 0)
        for family in self._backends:
            for line in (yield from self._save(family)):
                counted = _counted(line)
                if counted is not None and counted[0] in counts:
                    counts[counted[0]] += counted[1]
        return counts

    def tear_down(self) -> Plan:
        """Take away all that was put in place, and see it gone. Raises TablesError."""
        for family in tuple(self._backends):
            yield from self._clear(family)
            del self._backends[family]
        self._rules.clear()

    def close(self) -> None:
        os.close(self._lock)

    def _families_of(self, rule: Rule) -> tuple[int, ...]:
        return self._families if rule.family is None else (rule.family,)

    def _set_up(self, family: int) -> Plan:
        """Find a back end that works here, by making the chains with it."""
        if family in self._backends:
            return
        if family not in self._families:
            raise TablesError("the kernel has no IPv6")
        refusals = []
        for backend in _BACKENDS:
            program = f"{_BINARY[family]}{backend}"
            if shutil.which(f"{program}-restore", path=_PATH) is None:
                continue
            self._backends[family] = backend
            try:
                hooked = _count_hooks((yield from self._change(family, _SET_UP)))
                if hooked > len(_HOOKS):
                    # A probe that was killed has left its own. The chains were emptied just now.
                    surplus = _UNHOOK * (hooked // len(_HOOKS) - 1)
                    hooked = _count_hooks((yield from self._change(family, surplus)))
                if hooked == len(_HOOKS):
                    return
                raise self._error(family, f"{hooked} of {len(_HOOKS)} hooks are in place")
            except TablesError as refusal:
                del self._backends[family]
                refusals.append(str(refusal))
        raise TablesError(
            "; ".join(refusals)
            or f"{_BINARY[family]} is not installed: the wire needs the package iptables"
        )

    def _delete(self, family: int, number: int, rule: Rule) -> Plan:
        lines = _lines(number, rule, self._queue)
        changes = [f"-D {line.chain} {line.queueing}" for line in lines]
        changes += [f"-D {line.chain} {line.counting}" for line in lines]
        left = _count((yield from self._change(family, changes)), number)
        if left:
            raise self._error(family, f"{left} lines of rule {number} are left")

    def _clear(self, family: int) -> Plan:
        changes = (
            _UNHOOK + [f"-F {chain}" for chain in _HOOKS] + [f"-X {chain}" for chain in _HOOKS]
        )
        for line in (yield from self._change(family, changes)):
            if "iolab-" in line:
                raise self._error(family, f"still there: {line}")

    def _change(self, family: int, lines: list[str]) -> Generator[Command, Outcome, list[str]]:
        """Carry out all lines or none, and list what is there then."""
        text = "\n".join(["*mangle", *lines, "COMMIT", ""])
        outcome = yield from self._run(family, "-restore", ["--noflush", "--wait"], text)
        self._said = outcome.errors
        return (yield from self._save(family))

    def _save(self, family: int) -> Generator[Command, Outcome, list[str]]:
        outcome = yield from self._run(family, "-save", ["--counters", "--table", "mangle"], "")
        listing = outcome.output.splitlines()
        if "COMMIT" not in listing:
            raise TablesError(f"{self._program(family)}-save: no listing; {outcome.errors}")
        return listing

    def _run(
        self, family: int, tool: str, arguments: list[str], text: str
    ) -> Generator[Command, Outcome, Outcome]:
        program = self._program(family) + tool
        path = shutil.which(program, path=_PATH) or program
        lock = {"XTABLES_LOCKFILE": f"/proc/self/fd/{INHERITED}"}
        outcome: Outcome = yield Command([path, *arguments], text, self._lock, lock)
        if outcome.status:
            raise TablesError(f"{program}: {outcome.errors or f'exit status {outcome.status}'}")
        return outcome

    def _error(self, family: int, what: str) -> TablesError:
        """For a change that is not seen, though the program may have ended well."""
        said = f"; the program said: {self._said}" if self._said else ""
        return TablesError(f"{self._program(family)}: {what}{said}")

    def _program(self, family: int) -> str:
        return _BINARY[family] + self._backends[family]


class _Line(NamedTuple):
    """A rule in one direction: the chain, and its two lines there."""

    chain: str
    counting: str
    queueing: str


def _lines(number: int, rule: Rule, queue: int) -> list[_Line]:
    """The lines of a rule: `Rule.covers` in the words of iptables."""
    lines = []
    for direction in rule.directions:
        server, client = ("--dport", "--sport") if direction == IN else ("--sport", "--dport")
        words: list[str | int] = ["-p", "tcp", "-m", "tcp", server, rule.port]
        if rule.peer is not None:
            host, port = rule.peer
            words += [client, port] if port else []
            words += ["-s" if direction == IN else "-d", host]
        words += ["-m", "comment", "--comment", _comment(number)]
        match = " ".join(map(str, words))
        lines.append(_Line(f"iolab-{direction}", match, f"{match} -j NFQUEUE --queue-num {queue}"))
    return lines


def _comment(number: int) -> str:
    return f"iolab-rule-{number}"


def _count(listing: list[str], number: int) -> int:
    return sum(_comment(number) in line.split() for line in listing)


def _count_hooks(listing: list[str]) -> int:
    return sum(line.partition("] -A ")[2] in _HOOKS.values() for line in listing)


def _counted(line: str) -> tuple[int, int] | None:
    """`[12:720] -A iolab-in … --comment iolab-rule-3` → (3, 12); None for all other lines."""
    words = line.split()
    if "--comment" not in words or "-j" in words or not words[2].startswith("iolab-"):
        return None
    number = words[words.index("--comment") + 1].rpartition("-")[2]
    return int(number), int(words[0].strip("[").partition(":")[0])
