"""Slowness: peers that take their time must cost nobody else any."""

from __future__ import annotations

from harness.lab import Lab
from harness.scenario import scenario
from harness.steps import ask, close, connect, flood, wait

MIB = 1 << 20

# "Memory is bounded": so much is offered at least, and resident memory grows by at most this, or by
# four of the largest messages.
OFFERED = 256 * MIB
GROWTH_ALLOWED = 64 * MIB


@scenario(
    "slow.sender",
    title="One byte every 100 ms",
    expects="The bystanders' worst latency stays within the bound; the slow one gets its reply.",
    why="A server that waits for the rest of one message makes everybody wait.",
    cites=("select(2): readiness is for one read, not for a message",),
    quiet=False,
)
def test_sender(lab: Lab) -> None:
    slow = lab.play(
        "slow", connect(), ask("slow but sure", piece=1, pause_s=0.1, within_s=10), close()
    )
    slow.reached("connected")
    lab.trigger(slow)
    slow.ended(within_s=20)
    lab.expect_removed(slow)


@scenario(
    "slow.never-reader",
    title="Sends without end and never reads",
    expects="The server stops reading from it; memory bounded; others unharmed.",
    why="Replies that nobody reads must wait in bounded buffers, in the end with the peer itself.",
    cites=("RFC 9293 §3.8.6 (the window)", "send(2): EAGAIN"),
    quiet=True,
    connections=lambda case: 2,
)
def test_never_reader(lab: Lab) -> None:
    readers = lab.play(
        "greedy",
        connect(),
        flood(OFFERED // 2, 16 << 10, stalled_after_s=1.0, mark="flooding"),
        wait("go", mark="stalled"),
        close(),
        count=2,
        must="nothing",
    )
    readers.reached("connected")
    before = lab.resident()
    lab.trigger(readers)
    readers.reached("stalled", within_s=30)
    told = [report.get("flooded") for report in readers.report()]
    lab.expect_bounded_memory(
        before,
        offered=OFFERED,
        allowed=max(GROWTH_ALLOWED, 4 * (lab.promises.max_message or 0)),
        how=f"the senders ended as: {', '.join(map(str, told))}",
    )
    readers.go()
    lab.expect_removed(readers)
