"""The clients of a lab: a node with an agent in it, and groups of connections that play steps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from iolab.harness.backends.base import Family, Node, Process
from iolab.harness.backends.channel import Channel, Refused
from iolab.harness.record.agent import Report, Reports, SocketInfo
from iolab.harness.record.base import Address
from iolab.harness.record.kinds import Unready

if TYPE_CHECKING:
    from iolab.harness.lab.lab import Lab


class Group:
    """Connections that play the same steps, named `NAME#0`, `NAME#1`, …"""

    def __init__(
        self, lab: Lab, client: Client, name: str, count: int, *, scripted: bool, unit: int = 1
    ) -> None:
        """`scripted`: part of the scenario, and no bystander; `unit`: bytes of one message."""
        self.lab = lab
        self.round = lab.round
        self.client = client
        self.name = name
        self.count = count
        self.scripted = scripted
        self.unit = unit

    def reached(self, mark: str, within_s: float = 5.0, count: int | None = None) -> bool:
        """Whether so many (default: all) come to the step so marked, `connected` or `ended`."""
        try:
            self.client.channel.request(
                "await", group=self.name, mark=mark, count=count or self.count, within_s=within_s
            )
        except Refused as refused:
            if "reached" not in refused.answer:
                raise
            self.lab.probe.snapshot(f"{self.name} did not reach {mark}")
            if not self.lab.triggered and mark != "ended":
                self.lab.record(Unready(group=self.name, mark=mark, error=str(refused)))
            return False
        return True

    def ended(self, within_s: float = 10.0) -> bool:
        """Whether all of them come to the end of their steps."""
        return self.reached("ended", within_s)

    def go(self, signal: str = "go", count: int | None = None) -> float:
        """Release the steps that wait for the signal, or so many of them; when that was."""
        which = {} if count is None else {"count": count}
        answer = self.client.channel.request("go", group=self.name, signal=signal, **which)
        return float(answer["t"])

    def finish(self, within_s: float = 15.0) -> None:
        """Repeating steps end after the round under way; returns when all have ended."""
        self.client.channel.request("finish", group=self.name, within_s=within_s)

    def report(self) -> list[Report]:
        """Each connection's report, now."""
        answer = self.client.channel.request("report", group=self.name)
        return msgspec.convert(answer, Reports).connections

    def peers(self) -> list[Address]:
        """Their own addresses, as the subject sees its peers."""
        return [report.local for report in self.report() if report.local]

    def info(self, k: int = 0) -> SocketInfo:
        """The client kernel's view of one socket (TCP_INFO and queues)."""
        answer = self.client.channel.request("info", connection=f"{self.name}#{k}")
        return msgspec.convert(answer, SocketInfo)

    def has_unread(self, k: int, within_s: float = 5.0) -> bool:
        """Whether bytes lie unread in the client's own socket in time."""
        return self._sees(k, "unread", within_s)

    def is_retransmitting(self, k: int = 0, within_s: float = 5.0) -> bool:
        """Whether the client's own kernel sends again what was not acknowledged, in time."""
        return self._sees(k, "retransmits", within_s)

    def _sees(self, k: int, what: Literal["unread", "retransmits"], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        try:
            while not getattr(self.info(k), what):
                if time.monotonic() > deadline:
                    return False
        except Refused:  # its socket is gone: there is nothing to be seen
            return False
        return True

    def prove(self, claim: str, **bounds: Any) -> None:
        """Prove that the sockets of all are within the bounds in the subject's kernel, at once.

        They are those of the probe's condition `queue`, as `send_q_at_least=1`.
        """
        self.lab.prove_by(claim, {"queue": {"peers": self.peers(), **bounds}})

    def shows(self, within_s: float = 1.0, **bounds: Any) -> bool:
        """Whether the sockets of all come to be within such bounds in time, at once."""
        return self.lab.probe.sees({"queue": {"peers": self.peers(), **bounds}}, within_s)

    def drop(self) -> None:
        """Close what is left of them."""
        self.client.channel.request("drop", group=self.name)


class Client:
    """A client node and the agent in it."""

    def __init__(
        self, name: str, node: Node, family: Family, process: Process, channel: Channel
    ) -> None:
        self.name = name
        self.node = node
        self.family = family
        self.process = process
        self.channel = channel

    @property
    def address(self) -> Address:
        """The node's address with port 0: all its connections, for a rule of the wire."""
        return self.node.addresses[self.family], 0
