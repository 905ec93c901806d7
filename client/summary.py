"""How a play went, in words."""

from collections import Counter, deque
from typing import Any

from .fields import Address
from .script import Script, quantity

_LATENCIES = 200_000
_KINDS_SHOWN = 3
_COUNTED = ("sent", "received", "messages", "replies")


class Summary:
    """Adds up the reports of connections that have ended."""

    def __init__(self, name: str, script: Script, target: Address) -> None:
        self._title = script.title or name
        self._target = target
        self._outcomes: Counter[str] = Counter()
        self._totals: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._examples: dict[str, str] = {}
        self._latencies: deque[float] = deque(maxlen=_LATENCIES)

    @property
    def failed(self) -> int:
        """How many have failed."""
        return self._outcomes["failed"]

    def add(self, report: dict[str, Any]) -> None:
        """Count a report of docs/protocol.md."""
        self._outcomes[report["outcome"]] += 1
        for name in _COUNTED:
            self._totals[name] += report[name]
        self._latencies.extend(took for _, took in report["latencies"])
        if report["failure"] is not None:
            kind = report["failure"]["kind"]
            self._kinds[kind] += 1
            self._examples.setdefault(kind, failure_words(report))

    def lines(self, elapsed_s: float) -> list[str]:
        """The summary, for people; `elapsed_s` is how long the play took."""
        totals = self._totals
        host, port = self._target
        words = {"ok": "ok", "failed": "failed", "dropped": "stopped under way"}
        told = [
            f"{self._outcomes[key]} {word}" for key, word in words.items() if self._outcomes[key]
        ]
        lines = [
            f"{self._title}: {', '.join(told) or 'nothing was played'} ({host} port {port})",
            f"  {counted(totals['messages'], 'message', 'messages')} sent,"
            f" {counted(totals['replies'], 'reply', 'replies')} right"
            f" ({quantity(totals['sent'])} out, {quantity(totals['received'])} in)"
            f" in {elapsed_s:.1f} s",
        ]
        if self._latencies:
            ordered = sorted(self._latencies)
            median, high = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
            lines.append(
                f"  latency of an ask: median {duration(median)},"
                f" 99 % below {duration(high)}, worst {duration(ordered[-1])}"
            )
        for kind, count in self._kinds.most_common():
            lines.append(f"  {count} × {kind}, as {self._examples[kind]}")
        return lines


def failure_words(report: dict[str, Any]) -> str:
    """Who failed, where and why."""
    failure, doing = report["failure"], report["step"]["doing"]
    return f"{report['connection']} at step {failure['step']} ({doing}): {failure['detail']}"


def doing_words(doing: list[str]) -> str:
    """What the most are doing, in a line."""
    common = Counter(doing).most_common(_KINDS_SHOWN + 1)
    if len(doing) == 1:
        return doing[0]
    shown = ", ".join(f"{count} {words}" for words, count in common[:_KINDS_SHOWN])
    return shown + (", …" if len(common) > _KINDS_SHOWN else "")


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many}"


def duration(seconds: float) -> str:
    """A short time for people: "0.31 ms", "1.2 s"."""
    return f"{seconds:.2g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
