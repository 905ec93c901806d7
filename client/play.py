"""`python -m client play`: plays one script and tells how it went.

Without --forever it ends with its script and a summary. With it, each connection whose script has
ended begins again, as the clients of the live lab do; `--log json` tells the lab's view twice a
second what each connection is doing.
"""

import json
import signal
import socket
import sys
import time
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .fields import Address
from .group import Group, latencies_kept
from .loop import Alarm, Loop
from .payload import Reply
from .player import Player, Setting
from .script import Script
from .summary import Summary, counted, doing_words, failure_words

_AGAIN_S = 1.0
_STATUS_S = 0.5
_GRACE_S = 2.0  # for the rounds under way once it is to end
_SHOWN = 20  # connections that are told of one by one


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be played; `for_s` (seconds) is when repeating scripts finish, or None."""

    name: str
    script: Script
    target: Address
    bind: Address | None
    count: int
    reply: Reply
    forever: bool
    for_s: float | None
    json: bool


class Play:
    """The players of one order, from start to summary."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._loop = Loop()
        self._started = time.monotonic()
        self._summary = Summary(order.name, order.script, order.target)
        self._ending = False
        self._met: set[str] = set()  # those whose first connection was told
        self._again: dict[str, Alarm] = {}
        self._status = Alarm(self._loop, self._tell_status)
        self._end = Alarm(self._loop, self.finish)
        setting = Setting(
            self._loop,
            order.script,
            order.target,
            order.bind,
            reply=order.reply,
            latencies=latencies_kept(order.count),
        )
        self._group = Group(order.name, setting, order.count, self._on_event)

    def run(self) -> int:
        """Play; the exit status: 1 if an expectation failed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        self._group.start(self._on_started)
        self._loop.run()
        self._group.drop()
        self._loop.close()
        if not self._order.json:
            print("\n".join(self._summary.lines(time.monotonic() - self._started)), flush=True)
        return 1 if self._summary.failed else 0

    def finish(self) -> None:
        """Let the rounds under way end, and drop who has not ended after a while."""
        if self._ending:
            self._loop.stop()
            return
        self._ending = True
        for alarm in self._again.values():
            alarm.cancel()
        self._group.finish()
        self._end.set(time.monotonic() + _GRACE_S)
        self._look()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.soon(self.finish)

    def _on_started(self) -> None:
        now = time.monotonic()
        if self._order.for_s is not None:
            self._end.set(now + self._order.for_s)
        if self._order.json or sys.stderr.isatty():
            self._status.set(now + _STATUS_S)
        self._look()

    def _on_event(self, event: str, fields: dict[str, Any]) -> None:
        if event == "ended":
            self._on_ended(fields)
        elif self._order.json:
            self._tell({"event": event, **fields})
        elif event == "connected" and self._tells_each and fields["connection"] not in self._met:
            self._met.add(fields["connection"])
            local, port = fields["local"]
            self._say(f"{fields['connection']} connected from {local} port {port}")

    def _on_ended(self, report: dict[str, Any]) -> None:
        self._summary.add(report)
        name, outcome = report["connection"], report["outcome"]
        if self._order.json:
            told = {key: report[key] for key in report if key not in ("silent", "latencies")}
            self._tell({"event": "ended", **told})
        elif outcome == "failed" and (self._tells_each or self._summary.failed <= _SHOWN):
            self._say(f"{failure_words(report)} [{report['failure']['kind']}]")
        elif self._tells_each and outcome == "ok":
            self._say(f"{name} ended well: {counted(report['replies'], 'reply', 'replies')}")
        if self._order.forever and not self._ending:
            alarm = self._again[name] = Alarm(self._loop, lambda: self._group.again(name))
            alarm.set(time.monotonic() + _AGAIN_S)
        self._loop.soon(self._look)

    @property
    def _tells_each(self) -> bool:
        return self._order.count <= _SHOWN

    def _look(self) -> None:
        if not self._group.running and (self._ending or not self._order.forever):
            self._loop.stop()

    def _tell_status(self) -> None:
        self._status.set(time.monotonic() + _STATUS_S)
        running = [player for player in self._group.players if player.outcome == "running"]
        if self._order.json:
            shown = [_status(player) for player in running[:_SHOWN]]
            self._tell({"event": "status", "running": len(running), "connections": shown})
        else:
            doing = doing_words([player.step.doing for player in running])
            print(f"\r\x1b[K{len(running)} running: {doing}", end="", file=sys.stderr, flush=True)

    def _say(self, words: str) -> None:
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""
        elapsed = time.monotonic() - self._started
        print(f"{clear}{elapsed:7.2f} s  {words}", flush=True)

    def _tell(self, message: dict[str, Any]) -> None:
        now = round(time.monotonic(), 6)
        line = {"t": now, "client": self._order.name, **message}
        print(json.dumps(line, separators=(",", ":")), flush=True)


def resolve(host: str, port: int, patient: bool) -> Address:
    """The address of a host; if `patient`, asked for until it is known.

    Raises socket.gaierror.
    """
    while True:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            if not patient:
                raise
            print(f"{host}: {error.strerror}; trying again", file=sys.stderr, flush=True)
            time.sleep(_AGAIN_S)
            continue
        address = found[0][4]
        return str(address[0]), int(address[1])


def _status(player: Player) -> dict[str, Any]:
    """What a live view shows of a connection."""
    latest = player.latencies.last
    return player.state() | {"latency_s": latest and round(latest, 6)}
