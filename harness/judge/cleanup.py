"""The cleanup verdict: did the server let go of every dead socket, in time?

Judged by the identity of sockets and descriptors first, then by what else a server may keep: CPU,
threads, children, zombies, memory. TIME-WAIT and the closing states that the kernel alone holds are
no leak: the server has closed those.
"""

from __future__ import annotations

from collections.abc import Iterator

from iolab.harness.judge import hunger, leftovers, words
from iolab.harness.judge.cookies import made_of_cookies
from iolab.harness.judge.death import went_to_background
from iolab.harness.judge.leftovers import Leftover
from iolab.harness.judge.scene import Scene
from iolab.harness.judge.verdict import IN_THE_BACKGROUND, Finding, Level
from iolab.harness.record.kinds import (
    Calm,
    Deaf,
    Death,
    Growth,
    Removal,
    Settled,
    Stop,
    Survivors,
    Turnover,
    Unstartable,
)
from iolab.harness.record.probe import Row, Snapshot

# A count that grows by at least this share of the connections of each round, round after round, is
# a leak; a pool or a cache stops growing.
GROWS_WITH = 0.5

# A removal is not late if others had the CPUs for such a share of the time that it took too long.
HUNGRY = 0.3

NOTHING = Snapshot(t=0.0, sockets=[], processes=[])

# Resident memory that may stay after each round: allocator noise, by connection and by byte of the
# messages too, since an allocator keeps some of what large messages needed.
MEMORY_PER_CONNECTION = 512
MEMORY_PER_BYTE = 0.5
MEMORY_NOISE = 1 << 20


def judge_cleanup(scene: Scene) -> list[Finding]:
    """All findings on cleanup."""
    if any(went_to_background(death) for death in scene.all(Death)):
        left = "the server has put itself into the background, and nothing was asked of it there"
        return [Finding("cleanup", Level.UNKNOWN, IN_THE_BACKGROUND, left)]
    if scene.has(Death):
        # The kernel closed everything with the process: nothing can be said of its cleanup.
        return [
            Finding(
                "cleanup",
                Level.UNKNOWN,
                "died",
                "the server ended by itself, and the kernel closed its sockets",
            )
        ]
    if scene.has(Deaf, Unstartable):
        never = "it never listened, so there was nothing to be cleaned up"
        return [Finding("cleanup", Level.UNKNOWN, "never listened", never)]
    removals = list(_removals(scene))
    return [
        *removals,
        # What was not removed in its time is also left in the end: it is named once.
        *(() if removals else _settled(scene)),
        *_calm(scene),
        *_rounds(scene),
        *_memory(scene),
        *_stops(scene),
    ]


def _removals(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(Removal):
        looks = [scene.snapshot_at(t) for t in record.late.looks] if record.late else []
        if record.held or (record.late and record.late.held and _was_hungry(*looks)):
            continue
        # As it was when the time was over: what went later was left behind all the same.
        snapshot = looks[0] if looks else scene.snapshot_before(record.t) or NOTHING
        left = leftovers.of_these(scene, snapshot, set(record.peers), record.inodes)
        if not left and (made := made_of_cookies(scene, snapshot)):
            yield _nobodys(scene, made)
            continue
        yield Finding(
            "cleanup",
            Level.FAILED,
            leftovers.cause(left),
            (
                f"{len(left)} of {len(record.peers)} dead connections were not removed within "
                if left
                else f"some of {len(record.peers)} dead connections were removed later than "
            )
            + f"{record.within_s:.1f} s ({record.promise})",
            (
                *_told(scene, left),
                *words.threads(scene, snapshot),
                *words.ladder(scene, next(iter(record.peers), None)),
            ),
        )


def _was_hungry(first: Snapshot, last: Snapshot) -> bool:
    """Whether what was late was late for want of a CPU."""
    return hunger.between(first, last) > HUNGRY


def _told(scene: Scene, left: list[Leftover]) -> list[str]:
    return words.listed([words.leftover(scene, one) for one in left], "sockets")


def _nobodys(scene: Scene, made: list[Row]) -> Finding:
    return Finding(
        "cleanup",
        Level.INFORMATIONAL,
        "SYN cookies",
        f"{len(made)} connections were made by the server's kernel, out of SYN cookies, for "
        "clients that had left: nobody can tell the server",
        tuple(words.listed([words.socket(scene, row) for row in made], "sockets")),
    )


def _settled(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(Settled):
        snapshot = scene.snapshot(record.label)
        if record.held or snapshot is None:
            continue
        left = leftovers.but_these(scene, snapshot, set(record.peers), record.inodes)
        if not left:
            continue
        yield Finding(
            "cleanup",
            Level.FAILED,
            leftovers.cause(left),
            f"{len(left)} sockets are left after round {record.round}, not there before",
            (*_told(scene, left), *words.threads(scene, snapshot)),
        )


def _calm(scene: Scene) -> Iterator[Finding]:
    records = scene.all(Calm)
    # Who never rests, not even before the scenario, is named by the one that looks for it.
    for record in records if scene.header.names_restless else records[1:]:
        if not record.held:
            near = scene.snapshot_before(record.t)
            yield Finding(
                "cleanup",
                Level.FAILED,
                "spins",
                f"the server burns CPU with nothing to do ({record.when})",
                (
                    str(record.seen),
                    *words.threads(scene, near),
                    *words.listed(words.waking(scene, near) or words.UNPROVOKED, "sockets"),
                ),
            )


def _rounds(scene: Scene) -> Iterator[Finding]:
    """Growth between equal rounds of the same load: the third against the second."""
    rounds = [(record, scene.snapshot(record.label)) for record in scene.all(Settled)]
    kept = [(record, snapshot) for record, snapshot in rounds if snapshot is not None]
    if len(kept) < 3:
        return
    last = kept[-1][0]
    turnover = [record for record in scene.all(Turnover) if record.round == last.round]
    connections = sum(record.connections for record in turnover) or last.connections
    figures = [_figures(snapshot) for _, snapshot in kept[-3:]]
    for name in ("threads", "children", "zombies", "descriptors"):
        first, second, third = (figure[name] for figure in figures)
        if third - second >= max(1, GROWS_WITH * connections) and second > first:
            yield _growth(name, first, second, third, connections, scene)
    first, second, third = (figure["memory"] for figure in figures)
    noise = MEMORY_NOISE + MEMORY_PER_CONNECTION * connections
    noise += int(MEMORY_PER_BYTE * _bytes_of(scene, last.round))
    if third - second > noise and second - first > noise:
        yield _growth("memory", first, second, third, connections, scene)


def _bytes_of(scene: Scene, number: int) -> int:
    """How many bytes the scripted clients of a round have sent."""
    groups = [name for name, group in scene.groups.items() if group.round == number]
    scripted = set(groups) - scene.bystander_groups
    return sum(report.sent for name in scripted for report in scene.reports_of(name))


def _figures(snapshot: Snapshot) -> dict[str, int]:
    processes = snapshot.processes
    return {
        "threads": sum(len(one.seen_threads) for one in processes if not one.is_zombie),
        "children": sum(not one.is_zombie for one in processes) - 1,
        "zombies": sum(one.is_zombie for one in processes),
        "descriptors": sum(len(one.fds) for one in processes),
        "memory": snapshot.rss,
    }


def _growth(
    name: str, first: int, second: int, third: int, connections: int, scene: Scene
) -> Finding:
    show = words.quantity if name == "memory" else str
    return Finding(
        "cleanup",
        Level.FAILED,
        f"{name} left behind",
        f"{name} grow with every round of {connections} connections: "
        f"{show(first)}, {show(second)}, {show(third)}",
        tuple(words.threads(scene, scene.snapshots[-1])) if name != "memory" else (),
        timed=False,
        conditional=False,
    )


def _memory(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(Growth):
        if record.grown > record.allowed:
            yield Finding(
                "cleanup",
                Level.FAILED,
                "memory unbounded",
                f"resident memory grew by {words.quantity(record.grown)} while "
                f"{words.quantity(record.offered)} were offered "
                f"(allowed: {words.quantity(record.allowed)})",
                (f"at first {words.quantity(record.before)}, {record.how}",),
                timed=False,
            )


def _stops(scene: Scene) -> Iterator[Finding]:
    for record in scene.all(Stop):
        if record.status is None:
            yield Finding(
                "cleanup",
                Level.FAILED,
                "does not stop",
                f"it still runs {record.within_s:.1f} s after {record.asked}",
                (
                    *words.still_open(scene, scene.snapshot_before(record.t)),
                    *words.threads(scene, scene.snapshot_before(record.t)),
                    *words.log_tail(scene.end),
                ),
            )
        elif record.allowed is not None and record.status not in record.allowed:
            yield Finding(
                "cleanup",
                Level.FAILED,
                "exit status",
                f"after {record.asked}: {words.exit_status(record.status)}, "
                f"expected {' or '.join(map(words.exit_status, record.allowed))}",
                tuple(words.log_tail(scene.end, lines=12)),
                timed=False,
            )
        elif record.allowed is not None:
            yield from _outlived(scene, record)


def _outlived(scene: Scene, stop: Stop) -> Iterator[Finding]:
    for record in scene.all(Survivors):
        yield Finding(
            "cleanup",
            Level.FAILED,
            "children outlive it",
            f"after {stop.asked} the main process ended, and {len(record.processes)} of its "
            "children go on",
            tuple(words.survivors(record)),
        )
