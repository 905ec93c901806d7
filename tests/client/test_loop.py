"""The event loop: edges, alarms, and its watch on itself."""

from __future__ import annotations

import gc
import socket
import time
from collections.abc import Iterator
from threading import Event

import pytest

from iolab.client.loop import NEVER, Alarm, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


def test_alarms_ring_in_order_and_not_early(loop: Loop) -> None:
    start = time.monotonic()
    rung: list[tuple[str, float]] = []

    def ring(name: str) -> None:
        rung.append((name, time.monotonic()))
        if len(rung) == 3:
            loop.stop()

    for name, delay in (("b", 0.03), ("c", 0.06), ("a", 0.01)):
        Alarm(loop, lambda name=name: ring(name)).set(start + delay)  # type: ignore[misc]
    loop.run()
    assert [name for name, _ in rung] == ["a", "b", "c"]
    assert all(at >= start + delay for (_, at), delay in zip(rung, (0.01, 0.03, 0.06), strict=True))


def test_a_moved_alarm_rings_once_and_at_its_new_time(loop: Loop) -> None:
    start = time.monotonic()
    rung: list[float] = []
    alarm = Alarm(loop, lambda: rung.append(time.monotonic()))
    for delay in (0.05, 0.01, 0.03):
        alarm.set(start + delay)
    Alarm(loop, loop.stop).set(start + 0.08)
    loop.run()
    [at] = rung
    assert at >= start + 0.03
    assert alarm.deadline == NEVER


def test_a_cancelled_alarm_does_not_ring(loop: Loop) -> None:
    rung: list[bool] = []
    alarm = Alarm(loop, lambda: rung.append(True))
    alarm.set(time.monotonic() + 0.01)
    alarm.cancel()
    Alarm(loop, loop.stop).set(time.monotonic() + 0.03)
    loop.run()
    assert rung == []


def test_an_edge_is_told_once(loop: Loop) -> None:
    left, right = socket.socketpair()
    with left, right:
        seen: list[int] = []
        right.send(b"x")
        loop.register(left.fileno(), seen.append)
        Alarm(loop, loop.stop).set(time.monotonic() + 0.05)
        loop.run()
        assert len(seen) == 1  # though nobody has read it
        loop.forget(left.fileno())


def test_a_closed_descriptor_is_not_called(loop: Loop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def call(place: int) -> None:
        called.append(place)
        for own, other in pairs:
            loop.forget(own.fileno())
            own.close()
            other.close()
        loop.stop()

    for place, (own, other) in enumerate(pairs):
        other.send(b"x")
        loop.register(own.fileno(), lambda _, place=place: call(place))  # type: ignore[misc]
    loop.run()
    assert len(called) == 1


def test_lateness_is_measured(loop: Loop) -> None:
    told: list[float] = []
    loop.on_late = told.append
    loop.soon(lambda: Event().wait(0.06))
    Alarm(loop, loop.stop).set(time.monotonic() + 0.01)
    loop.run()
    assert loop.late_s >= 0.05
    assert told
    assert max(told) == loop.late_s


def test_the_collector_is_off_only_while_it_runs(loop: Loop) -> None:
    seen: list[bool] = []
    loop.soon(lambda: seen.append(gc.isenabled()))
    loop.soon(loop.stop)
    loop.run()
    assert seen == [False]
    assert gc.isenabled()
