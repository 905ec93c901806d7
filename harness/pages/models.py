"""`docs/io-models.md` and its pictures: recorded runs, and what opens each model's file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from iolab.harness.pictures.drawing import copied_meanwhile, draw, slept, waits
from iolab.harness.pictures.recording import Recording, load
from iolab.harness.pictures.stories import COMPUTING, STORIES, WAITING
from iolab.harness.places import ROOT
from iolab.harness.run.options import model

PAGE = "docs/io-models.md"


@dataclass(frozen=True)
class Kind:
    """One of the five ways of the literature, and our models of it with what to see in each."""

    english: str
    chinese: str
    about: str
    waits: str
    copies: str
    models: Mapping[str, str]


KINDS: Sequence[Kind] = (
    Kind(
        "Blocking IO",
        "阻塞 IO",
        "The process asks for bytes and sleeps until they have come and been copied to it.",
        "asleep in `recv`",
        "in the same `recv`",
        {
            "blocking": "The server is not busy: it is asleep on the wrong socket. The quick "
            "client is connected, by the kernel, and its first question waits in the backlog "
            "until the slow one has gone.",
            "threaded": "Each thread is asleep in a call of its own, so nobody waits for the slow "
            "client but the thread that serves it.",
        },
    ),
    Kind(
        "Non-blocking IO",
        "非阻塞 IO",
        "The process asks, and is told at once, if need be: not yet. It asks again.",
        "asking again and again",
        "in the `recv` that finds them",
        {
            "nonblocking": "Nobody waits, and the server never sleeps: it runs all the time, and "
            "nearly all that it hears is `EAGAIN`. Look at the CPU time, top right.",
        },
    ),
    Kind(
        "IO multiplexing",
        "IO 多路复用",
        "The process sleeps in one call on all sockets at once; then it asks those that are ready.",
        "asleep in `select`, `poll` or `epoll_wait`",
        "in `recv`",
        {
            "select": "One sleep for all. The tick under each byte of the slow client shows that "
            "the server was woken for it, took it, and went back to sleep. (The kernel's name of "
            "the call that Python makes is `pselect6`.)",
            "poll": "With two clients nothing tells it from select. The difference begins at "
            "descriptor 1 024, where select ends, and poll goes on as far as RLIMIT_NOFILE.",
            "epoll": "With two clients it looks the same again. The difference is the price of "
            "a thousand who are silent: see [performance](performance.md).",
            "asyncio": "The same call as epoll. Asynchronous is how the program is written, in "
            "callbacks or coroutines; by the literature's words this is multiplexing.",
        },
    ),
    Kind(
        "Signal-driven IO",
        "信号驱动 IO",
        "The process asks the kernel to send a signal when something happens, and goes on.",
        "free, until a signal comes",
        "in `recv`",
        {
            "sigio": "It sleeps until a signal comes, in `rt_sigtimedwait`, and the signal names "
            "the descriptor: nothing is listed, and nobody else is asked.",
        },
    ),
    Kind(
        "Asynchronous IO",
        "异步 IO",
        "The process hands over a buffer and goes on; the kernel copies, and says when it is done.",
        "free",
        "interrupted: the kernel copies, and the process makes no call for it",
        {
            "uring": "Look at the lower strip: the server computes and calls nothing, the slow "
            "one's bytes come, and they do not stay in the socket. In the four kinds above they "
            "do, until a `recv` of a thread of the server's copies them (同步 IO, synchronous IO), "
            "whether it slept in that call, kept on asking, or was told before that it may.",
        },
    ),
)

INTRODUCTION = """\
The picture under each model shows what the server's threads were doing while two clients were
there, in two small stories that are the same for all models. In the upper strip it is waiting: the
slow client sends two messages, a byte every 0.2 s; the quick one comes 0.3 s later, asks six short
questions, one every 0.25 s, and should not have to wait. In the lower strip it is computing
(`--reply compute`): the quick client's question takes it a quarter of a second of work, as the hash
of a password does, and meanwhile the slow one's bytes come, one every 0.05 s.

Nothing in them is drawn by hand. The probe asked the kernel about every thread up to a thousand
times a second: is it asleep or running, in which system call, on which descriptor. It counted how
often each went to sleep, and saw every packet come and go. In the same moments it asked the socket
how many bytes had come and how many of them were still there: the others had been copied. Where a
server was awake and no byte had come, it was its timers that woke it. `make pictures` plays it all
again on your machine; the recordings are beside the pictures in `docs/pictures/`.
`make lab MODEL=…` shows the same live.

A wait for input has two parts: until the bytes have come, and while they are copied from the kernel
to the process. The five kinds differ in what the process does meanwhile. The first part is what the
upper strips show, the second what the lower ones show: while a server computes, does it get what
comes?
"""


def pages() -> dict[str, partial[str]]:
    """The page and the pictures, by name."""
    pictures = {
        f"docs/pictures/{name}.svg": partial(_picture, name, kind.chinese)
        for kind in KINDS
        for name in kind.models
    }
    return {PAGE: partial(_page), **pictures}


@cache
def _recording(name: str, story: str) -> Recording:
    return load(name, story)


def _picture(name: str, title: str) -> str:
    return draw([_recording(name, story.name) for story in STORIES], title)


def _page() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The IO models, watched"
    yield ""
    yield "<!-- Made from harness/pages/models.py and recordings by `python -m iolab docs`. -->"
    yield ""
    yield INTRODUCTION
    yield "| | 中文 | until bytes have come | while they are copied | models |"
    yield "| --- | --- | --- | --- | --- |"
    for kind in KINDS:
        models = ", ".join(f"[`{name}`](#{name})" for name in kind.models)
        row = (kind.english, kind.chinese, kind.waits, kind.copies, models)
        yield f"| {' | '.join(row)} |"
    for kind in KINDS:
        yield ""
        yield f"## {kind.english} ({kind.chinese})"
        yield ""
        yield kind.about
        for name, see in kind.models.items():
            yield from _model(name, see)
    yield ""
    yield "## In figures"
    yield ""
    yield from _table()


def _model(name: str, see: str) -> Iterator[str]:
    yield ""
    yield f"### {name}"
    yield ""
    yield f"![What a {name} server was doing](pictures/{name}.svg)"
    yield ""
    yield see
    yield ""
    yield from _limits(name)
    for paragraph in _essay(name):
        yield ""
        yield f"> {paragraph}"


def _limits(name: str) -> Iterator[str]:
    """What its manifest promises, and what it says that it cannot do."""
    subject = model(name)
    most = subject.promises.max_connections
    if most is not None:
        yield (
            f"- It promises to serve {most} at a time."
            if most > 1
            else "- It serves one at a time."
        )
    for scenario, (side, reason) in subject.nature.fails.items():
        category = scenario.partition(".")[0]
        link = f"[`{scenario}`](scenarios.md#{category})"
        yield f"- By its nature it fails {link}, {side}: {reason}."


def _essay(name: str) -> Iterator[str]:
    """What opens the model's own file, less the title line."""
    source = (ROOT / "server" / "models" / f"{name}.py").read_text(encoding="utf-8")
    _, *paragraphs = (ast.get_docstring(ast.parse(source)) or "").split("\n\n")
    return (" ".join(paragraph.split()) for paragraph in paragraphs)


def _table() -> Iterator[str]:
    yield (
        "| model | threads | sleeps | interruptions | CPU time | longest wait "
        "| copied while it computed |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    recordings = [_recording(name, WAITING.name) for kind in KINDS for name in kind.models]
    for one in recordings:
        waited = [until - since for since, until in waits(one.clients["quick"])]
        copied, came = copied_meanwhile(_recording(one.model, COMPUTING.name))
        row = (
            f"`{one.model}`",
            str(len(one.threads)),
            str(slept(one)),
            str(sum(thread.forced for thread in one.threads)),
            f"{one.cpu:.1f} ms",
            f"{max(waited) / 1000:.1f} s" if waited else "none",
            f"{copied} of {came} bytes",
        )
        yield f"| {' | '.join(row)} |"
    fewest, kernel = min(one.samples for one in recordings), recordings[0].kernel
    yield ""
    yield (
        "Threads are those that serve. A thread goes to sleep by itself, and is interrupted by the "
        "scheduler when others want the processor. The longest wait is the quick client's. All "
        f"that is of the upper strips, measured over {recordings[0].lasted / 1000:.1f} s on Linux "
        f"{kernel}, each thread being looked at {fewest} times or more. The last column is of the "
        "lower strips: of the slow one's bytes that came while the server computed for the quick "
        "one, how many were copied before it was done. (In `threaded` another thread copied them.)"
    )
