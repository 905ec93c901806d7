"""Connections that the server's kernel makes of SYN cookies for clients that have left."""

from __future__ import annotations

import pytest

from iolab.harness.judge import Level, Verdict
from iolab.harness.record.probe import Row
from tests.judge.playing import Observed, client, row


def left(made: Row, taken: int = 1, outcome: str = "ok") -> Verdict:
    """The verdict where this row is left, and so many cookies were taken after the trigger."""
    seen = Observed()
    seen.group("idle", must="nothing")
    seen.snapshot("trigger", row(client(1)), counters={"SyncookiesRecv": 5})
    seen.trigger("idle")
    seen.report("idle#0", outcome)
    seen.snapshot("last", made, counters={"SyncookiesRecv": 5 + taken})
    seen.removal(client(0), client(1), held=False)
    seen.snapshot("round 1", made, counters={"SyncookiesRecv": 5 + taken})
    seen.settled(held=False)
    seen.end()
    return seen.judged().cleanup


def test_the_server_is_not_blamed() -> None:
    verdict = left(row(client(0), inode=2_000))
    assert verdict.level is Level.INFORMATIONAL
    [finding] = verdict.findings
    assert finding.summary.startswith("1 connections were made by the server's kernel")
    assert "idle#0 10.91.0.4:50000: ESTABLISHED" in finding.evidence[0]


@pytest.mark.parametrize(
    ("made", "taken", "outcome"),
    [
        (row(client(0), inode=2_000), 0, "ok"),  # no cookie was taken
        (row(client(0), "CLOSE-WAIT", inode=2_000), 1, "ok"),  # it was told of the end
        (row(client(1)), 1, "ok"),  # it was there before
        (row(client(0), inode=2_000, recv_q=3), 1, "ok"),  # it has something to read
        (row(client(0), inode=2_000), 1, "running"),  # its client is there
    ],
)
def test_it_is_blamed_for_all_else(made: Row, taken: int, outcome: str) -> None:
    assert left(made, taken, outcome).level is Level.FAILED
