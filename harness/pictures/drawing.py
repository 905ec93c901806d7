"""Recordings as strips: time from left to right, clients above, the server's threads below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iolab.harness.pictures.recording import LISTENER, RUNNING, Client, Recording, Span, Thread
from iolab.harness.pictures.stories import COMPUTING
from iolab.harness.pictures.svg import GRID, INK, PAPER, QUIET, head, line, path, rect, text

WIDTH = 960
LEFT, RIGHT = 132, 16
HEAD = 34
TOP = 32
ROW, GAP = 26, 12
CLIENT_ROW, QUEUE_ROW = 34, 34
FOOT, LEGEND = 24, 36

BUSY = "#c0392b"
WAITING = "#f3b0a8"
ANSWER = "#1e7f4f"
IN_SOCKET, COPIED = "#e0a030", "#7fbf9d"
INKS = {"slow": "#b45f06", "quick": "#0b6e75"}

# Asleep: on whose descriptor, or on all at once.
SLEEPS = {"slow": "#fbe0c3", "quick": "#c9e6e8", LISTENER: "#dcd6ee", None: "#d6e2f1"}

# Narrower than this a wait is no wait, and a text has no room.
NOTICEABLE_MS = 30.0
CHARACTER = 6.4


def draw(recordings: Sequence[Recording], title: str) -> str:
    """The SVG document: a strip for each story; `title` is what the blog calls the model."""
    return "\n".join(_lines(recordings, title)) + "\n"


def _lines(recordings: Sequence[Recording], title: str) -> Iterator[str]:
    name = recordings[0].model
    strips = []
    bottom = HEAD
    for recording in recordings:
        strips.append(_Strip(recording, bottom))
        bottom = strips[-1].bottom + FOOT
    height = bottom + LEGEND
    yield from head(WIDTH, height, f"{name}: what the server's threads were doing")
    yield text(16, 26, name, size=17, weight="bold")
    yield text(16 + 11 * len(name) + 10, 26, title, colour=QUIET, size=15)
    for strip in strips:
        yield from strip.lines()
    yield from _legend(height - 16)
    yield "</svg>"


class _Strip:
    def __init__(self, recording: Recording, y: int) -> None:
        self.recording = recording
        self.top = y + TOP
        self.scale = (WIDTH - LEFT - RIGHT) / recording.lasted
        threads = len(recording.threads)
        queues = QUEUE_ROW + GAP if recording.story == COMPUTING.name else 0
        self.bottom = self.top + 2 * (CLIENT_ROW + GAP) + queues + threads * (ROW + GAP)

    def x(self, ms: float) -> float:
        return round(LEFT + min(max(ms, 0.0), self.recording.lasted) * self.scale, 1)

    def lines(self) -> Iterator[str]:
        y = self.top
        yield text(16, y - 16, f"while it is {self.recording.story}", weight="bold")
        yield text(WIDTH - RIGHT, y - 16, figures(self.recording), anchor="end", colour=QUIET)
        yield from self._grid()
        for name, client in self.recording.clients.items():
            yield from self._client(name, client, y)
            y += CLIENT_ROW + GAP
        if self.recording.story == COMPUTING.name:
            yield from self._queue(self.recording.clients["slow"], y)
            y += QUEUE_ROW + GAP
        for number, thread in enumerate(self.recording.threads):
            yield from self._thread(number, thread, y)
            y += ROW + GAP

    def _grid(self) -> Iterator[str]:
        seconds = 0.0
        while seconds * 1000 <= self.recording.lasted:
            x = self.x(seconds * 1000)
            yield line(x, self.top - 6, x, self.bottom, GRID)
            yield text(
                x, self.bottom + 14, f"{seconds:g} s", anchor="middle", colour=QUIET, size=11
            )
            seconds += 0.5

    def _client(self, name: str, client: Client, y: int) -> Iterator[str]:
        middle = y + CLIENT_ROW / 2
        colour = INKS[name]
        yield text(16, middle + 4, f"{name} client", colour=colour, weight="bold")
        yield rect(self.x(client.connected), middle - 1, self._wide(client), 2, colour)
        for since, until in waits(client):
            wide = self.x(until) - self.x(since)
            yield rect(self.x(since), middle - 7, wide, 14, WAITING)
            told = f"waits {(until - since) / 1000:.1f} s"
            if until - since > NOTICEABLE_MS and wide > len(told) * CHARACTER:
                yield text(self.x(since) + 5, middle + 4, told, size=11)
        for at in self._shown(client.said):
            yield path(f"M{self.x(at)} {middle - 1}l-3.5 -8h7z", colour)
        for at in self._shown(client.answered):
            yield path(f"M{self.x(at)} {middle + 1}l-3.5 8h7z", ANSWER)

    def _shown(self, packets: Sequence[tuple[float, int]]) -> Iterator[float]:
        """When packets went, of those that went before the strip ends."""
        return (at for at, _ in packets if at <= self.recording.lasted)

    def _wide(self, client: Client) -> float:
        return round(self.x(client.closed) - self.x(client.connected), 1)

    def _thread(self, number: int, thread: Thread, y: int) -> Iterator[str]:
        name = "server" if len(self.recording.threads) == 1 else f"thread {number + 1}"
        yield text(16, y + 17, name, weight="bold")
        for span in _joined(thread.spans):
            yield from self._span(span, y)
        for at in thread.woken:
            x = self.x(at)
            yield line(x, y + ROW - 7, x, y + ROW, BUSY)

    def _span(self, span: Span, y: int) -> Iterator[str]:
        since, until, doing, whose = span
        x, wide = self.x(since), max(1.2, self.x(until) - self.x(since))
        running = doing == RUNNING
        yield rect(x, y, wide, ROW, BUSY if running else SLEEPS[whose])
        told = "running" if running else f"asleep in {doing}{_on(whose)}"
        for words in (told, doing):
            if wide > len(words) * CHARACTER + 8:
                yield text(x + 6, y + 16, words, size=11, colour=PAPER if running else INK)
                break

    def _queue(self, client: Client, y: int) -> Iterator[str]:
        """What has come from the client: how much of it waits in the socket, and what is copied."""
        yield text(16, y + 14, "slow one's bytes", colour=INKS["slow"], weight="bold")
        yield text(16, y + 28, "at the server", colour=INKS["slow"], weight="bold")
        floor = y + QUEUE_ROW
        yield line(LEFT, floor, WIDTH - RIGHT, floor, QUIET)
        shown = [change for change in client.queue if change[0] < client.closed]
        most = max((came for _, _, came in shown), default=1) or 1
        unit = QUEUE_ROW / most
        ends = [*(at for at, _, _ in shown[1:]), client.closed]
        for (since, waiting, came), until in zip(shown, ends, strict=True):
            x, wide = self.x(since), self.x(until) - self.x(since)
            copied = (came - waiting) * unit
            yield rect(x, floor - copied, wide, round(copied, 1), COPIED)
            yield rect(x, floor - came * unit, wide, round(waiting * unit, 1), IN_SOCKET)


def _legend(y: int) -> Iterator[str]:
    items = [
        (path(f"M5 {y - 1}l-3.5 -8h7z", INKS["slow"]), "bytes come"),
        (path(f"M5 {y - 9}l-3.5 8h7z", ANSWER), "an answer goes"),
        (rect(0, y - 10, 12, 11, WAITING), "a client waits"),
        (rect(0, y - 10, 12, 11, SLEEPS[None]), "the server sleeps"),
        (rect(0, y - 10, 12, 11, BUSY), "it runs"),
        (line(5, y - 8, 5, y, BUSY), "was awake for a moment"),
        (rect(0, y - 10, 12, 11, IN_SOCKET), "in the socket"),
        (rect(0, y - 10, 12, 11, COPIED), "copied"),
    ]
    x = 16.0
    for mark, told in items:
        yield f'<g transform="translate({x:g} 0)">{mark}{text(18, y, told, size=11)}</g>'
        x += 30 + len(told) * CHARACTER


def figures(recording: Recording) -> str:
    """What the kernel counted, in words."""
    return (
        f"went to sleep {slept(recording)} times · {recording.cpu:.1f} ms of CPU "
        f"in {recording.lasted / 1000:.1f} s"
    )


def copied_meanwhile(recording: Recording) -> tuple[int, int]:
    """While it computed for the quick client, how many bytes of the slow one were copied out of
    the socket, and how many had come.

    What came in the last moment before the answer counts as neither.
    """
    quick, slow = recording.clients["quick"], recording.clients["slow"]
    done = quick.answered[0][0]
    before = [change for change in slow.queue if quick.said[0][0] <= change[0] < done]
    came = max((came for at, _, came in before if at < done - NOTICEABLE_MS), default=0)
    copied = max((came - waiting for _, waiting, came in before), default=0)
    return min(copied, came), came


def slept(recording: Recording) -> int:
    """How often the threads went to sleep by themselves."""
    return sum(thread.voluntary for thread in recording.threads)


def waits(client: Client) -> Sequence[tuple[float, float]]:
    """From when to when it had spoken and got no answer, counting from its last byte."""
    found = []
    for at, _ in client.answered:
        before = [t for t, _ in client.said if t <= at]
        earlier = [t for t, _ in client.answered if t < at]
        asked = [t for t in before if not earlier or t > earlier[-1]]
        # A message in pieces is asked with its last one; one that came too soon, with its first.
        since = asked[-1] if asked else at
        if at - since > NOTICEABLE_MS:
            found.append((since, at))
    return found


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Neighbours that look alike as one: a short stretch of running is told by its tick."""
    last: Span | None = None
    for span in spans:
        since, until, doing, whose = span
        if doing == RUNNING and until - since < NOTICEABLE_MS and last is not None:
            last = (last[0], until, *last[2:])
        elif last is not None and last[2:] == (doing, whose):
            last = (last[0], until, doing, whose)
        else:
            if last is not None:
                yield last
            last = span
    if last is not None:
        yield last


def _on(whose: str | None) -> str:
    if whose is None:
        return ""
    return ", on the listener" if whose == LISTENER else f", on the {whose} client's socket"
