"""Replying: every client gets its own answer, whole and in order, however its bytes arrive."""

from __future__ import annotations

from iolab.harness.lab.lab import Lab
from iolab.harness.lab.steps import ask, close, connect, expect, flood, idle, repeat, send, wait
from iolab.harness.scenarios import sources
from iolab.harness.scenarios.circumstances import prove_read
from iolab.harness.scenarios.scenario import Cite, scenario

MIB = 1 << 20

# What a line without end offers, at most.
OFFERED = 256 * MIB

POEM = "空山新雨後，天氣晚來秋。🌱 Über allen Gipfeln ist Ruh’ — ¿y tú?"

LOOKALIKES = (
    *(
        "quit",
        "EXIT",
        "bye",
        "help",
        "/stop",
        ".",
        "..",
        "-1",
        "0",
        "null",
        "EOF",
        "GET / HTTP/1.0",
    ),
    *(
        "100 %",
        "%s %d %n",
        "%(name)s",
        "{0} {} {name}",
        "\\n \\0 \\x41",
        "$HOME `id`",
        "<b>&amp;</b>",
    ),
    *("\x03", "\x04", "\x1a", "\x00", "in\x00side", "\x1b[2J", "\u2028", "\ufeffmarked"),
    *("# no comment", "; nor this", "// nor that", "goes on \\", "007", "1e3", '"quoted"', "it's"),
    *("e\u0301 is not é", "ﬁ ſ K Å", "İstanbul ıssız Straße", '{"json": [1]}', "a,b;c\td|e"),
)

SIZES = (1, 2, 1_023, 1_024, 1_025, 2_047, 2_048, 4_095, 4_096, 4_097, 8_192, 65_535, 65_536)
LARGE_SIZES = (65_537, 1 << 20, 16 << 20)


@scenario(
    "reply.sizes",
    title="Messages of every size, and exactly the promised largest",
    expects="Each reply byte for byte.",
    why="Buffers end at powers of two, and a byte is lost or doubled at their edges.",
    cites=(sources.PARTIAL_READ, sources.PARTIAL_WRITE),
)
def sizes(lab: Lab) -> None:
    sizes = [size for size in (*SIZES, *LARGE_SIZES) if size <= lab.largest]
    if lab.promises.max_message and lab.promises.max_message <= LARGE_SIZES[-1]:
        sizes.append(lab.promises.max_message)
    one = lab.play(
        "sizes", connect(), *(ask(size=size, within_s=20) for size in dict.fromkeys(sizes)), close()
    )
    one.ended(within_s=60)


@scenario(
    "reply.empty",
    title="Empty messages",
    expects="One answer each.",
    why="Nothing between two newlines is a message too; `if line:` takes it for the end.",
    cites=(sources.EVERY_LINE,),
)
def empty(lab: Lab) -> None:
    lab.play(
        "empty",
        connect(),
        *(ask(""), ask(""), ask("not empty"), send("", times=50), expect(), ask("")),
        close(),
    ).ended()


@scenario(
    "reply.spaces",
    title="Messages that begin and end with blanks, tabs and carriage returns",
    expects="Each reply byte for byte.",
    why="`strip()` takes more than the newline.",
    cites=(sources.ONLY_THE_NEWLINE,),
)
def spaces(lab: Lab) -> None:
    texts = (" ", "  both ends  ", "\ttab\t", "return\r", "\r", "in\rside", "\x0bform\x0c", "\x85")
    lab.play("blanks", connect(), *(ask(text) for text in texts), close()).ended()


@scenario(
    "reply.lookalikes",
    title="Messages that look like commands, formats, escapes and other spellings",
    expects="Each reply byte for byte.",
    why="What comes from outside is data: nobody ends at `quit`, fills in `%s` or composes é.",
    cites=(
        sources.LINE_IS_DATA,
        Cite(
            "Unicode Standard Annex #15",
            "equivalent strings may differ in their bytes, until normalization makes them the same",
        ),
    ),
)
def lookalikes(lab: Lab) -> None:
    lab.play("lookalike", connect(), *(ask(text) for text in LOOKALIKES), close()).ended()


@scenario(
    "reply.fragmented",
    title="One byte a segment",
    expects="The same reply as for the whole.",
    why="TCP is a stream of bytes: where a read ends says nothing of where a message ends.",
    cites=(sources.STREAM, sources.NODELAY),
)
def fragmented(lab: Lab) -> None:
    fragments = {"piece": 1, "pause_s": 0.002}
    lab.play(
        "fragmented",
        connect(),
        ask("one byte at a time", **fragments),
        ask("and again", **fragments),
        send("end of one\nand begin", newline=False, **fragments),
        ask("ning of another", **fragments),
        close(),
    ).ended(within_s=15)


@scenario(
    "reply.utf8-split",
    title="Multi-byte characters cut at every byte",
    expects="No error, no lost or doubled character.",
    why="Decoding each piece by itself raises in the middle of a character.",
    cites=(sources.UTF8_LENGTH, sources.STREAM),
)
def utf8_split(lab: Lab) -> None:
    steps = [ask(POEM, piece=piece, pause_s=0.005) for piece in (1, 2, 3, 5)]
    lab.play("poet", connect(), *steps, close()).ended(within_s=15)


@scenario(
    "reply.coalesced",
    title="A thousand messages in one segment",
    expects="A thousand replies.",
    why="A server that takes one read for one message answers once and forgets the rest.",
    cites=(sources.STREAM,),
)
def coalesced(lab: Lab) -> None:
    lab.play(
        "coalesced",
        connect(),
        send("x", times=1000),
        expect(),
        ask("alone"),
        send("two\nlines and a half", newline=False),
        ask(" line"),
        close(),
    ).ended()


@scenario(
    "reply.pipelined",
    title="Many requests ahead of the first read",
    expects="All replies, in order, no deadlock.",
    why="Replies that are not read must not stop the server from reading, within its limits.",
    cites=(sources.HTTP_PIPELINING,),
)
def pipelined(lab: Lab) -> None:
    lab.play(
        "pipelined",
        connect(),
        {"do": "read", "on": False},
        # Who answers one before it reads the next waits for its replies to be read.
        send(size=20, times=10_000, background=True),
        {"do": "read", "on": True},
        expect(within_s=20),
        close(),
    ).ended(within_s=30)
    asking = lab.play(
        "asks-on",
        connect(receive_buffer=8192),
        {"do": "read", "on": False},
        send(size=min(lab.largest, 8 * MIB)),
        wait("go", mark="ready"),
        send("and one more thing", times=3),
        wait("read", mark="asked"),
        expect(within_s=25),
        ask("and after all that", within_s=10),
        close(),
    )
    asking.reached("ready", within_s=15)
    asking.go()
    asking.reached("asked")
    asking.go("read")
    asking.ended(within_s=40)
    greedy = lab.play(
        "greedy",
        connect(),
        flood(8 * MIB, 1000),
        expect(within_s=20),
        ask("and after all that", within_s=10),
        wait("go", mark="through"),
        close(),
    )
    if greedy.reached("through", within_s=40):
        lab.look_at_cpu("with a client that has all its replies, after many had to wait")
    greedy.go()
    greedy.ended()


@scenario(
    "reply.interleaved",
    title="A hundred clients with tagged payloads, their steps interleaved",
    expects="Nobody ever sees another's bytes.",
    why="State that belongs to a connection but lives in the server is mixed up under load.",
    cites=(sources.NUMBER_AGAIN,),
    connections=lambda case: 100,
    rounds=3,
)
def interleaved(lab: Lab) -> None:
    half = send("the first half of", newline=False)
    group = lab.play(
        "tagged",
        connect(),
        wait("go", mark="ready"),
        repeat(
            [
                half,
                idle(0.01),
                ask(" a message", within_s=10),
                ask(size=min(lab.largest, 10_000), within_s=10),
            ],
            times=5 * lab.scale,
        ),
        close(),
        count=100,
        log=False,
    )
    group.reached("ready", within_s=10)
    lab.trigger(group)
    group.go()
    group.ended(within_s=30 * lab.scale)
    lab.expect_removed(group)


@scenario(
    "reply.reused-descriptor",
    title="New clients get the descriptor numbers of those who left half a message",
    expects="Nobody ever sees another's bytes.",
    why="A table by descriptor that is not emptied hands the rest of one client to the next.",
    cites=(
        Cite("open(2)", "a new descriptor has the lowest number that is not open in the process"),
    ),
    connections=lambda case: 12,
    rounds=3,
)
def reused_descriptor(lab: Lab) -> None:
    leavers = [
        lab.play(
            name,
            connect(),
            send("what I never finished", newline=False, unanswered=True),
            wait("go", mark="ready"),
            end,
            count=6,
            must="nothing",
        )
        for name, end in (("quitter", close()), ("aborter", {"do": "reset"}))
    ]
    for group in leavers:
        group.reached("ready")
        prove_read(group)
    lab.trigger(*leavers)
    for group in leavers:
        group.go()
    lab.expect_removed(*leavers)
    heirs = lab.play("heir", connect(), ask("mine alone"), ask("still mine"), close(), count=12)
    heirs.ended()


@scenario(
    "reply.binary",
    title="All byte values, NUL and invalid UTF-8",
    expects="Exact, or the declared refusal; the server lives.",
    why="An echo of bytes need not decode them; a server that does must survive what is no text.",
    cites=(sources.UTF8_INVALID,),
    promises=("invalid_utf8",),
)
def binary(lab: Lab) -> None:
    every = bytes(b for b in range(256) if b != 0x0A)
    everything = [every[k : k + lab.largest].hex() for k in range(0, len(every), lab.largest)]
    odd = ("00", "ff", "c3", "eda080", "f4908080", "80")
    if lab.promises.invalid_utf8 == "echo":
        lab.play(
            "binary",
            connect(),
            *(ask(hex=data, newline=True) for data in (*everything, *odd)),
            close(),
        ).ended()
        return
    lab.play(
        "binary",
        connect(),
        ask("valid"),
        send(hex="ff", newline=True, unanswered=True),
        expect(eof=True),
        close(),
        count=1,
        must="served-or-refused",
    ).ended()


@scenario(
    "reply.urgent",
    title="A byte of urgent data in the stream",
    expects="No hang, and no corruption beyond that byte.",
    why="Urgent data wakes select's third set and EPOLLPRI; nobody who reads there must spin.",
    cites=(sources.URGENT, sources.URGENT_EVENT, sources.MSG_OOB),
    quiet=True,
)
def urgent(lab: Lab) -> None:
    one = lab.play(
        "urgent",
        connect(),
        ask("before"),
        wait("go", mark="ready"),
        send("!", newline=False, urgent=True, unanswered=True),
        wait("on", mark="urged"),
        ask("after"),
        ask("and after that"),
        close(),
    )
    one.reached("ready")
    lab.trigger(one)
    one.go()
    one.reached("urged")
    lab.prove("it is urgent on the wire", lab.probe.saw_packet(one.peers()[0], "URG") is not False)
    lab.look_at_cpu("with an urgent byte that nobody has to read")
    one.go("on")
    one.ended()
    lab.expect_removed(one)


@scenario(
    "reply.oversize",
    title="A message over the promised largest",
    expects="Clear refusal, connection closed, memory bounded.",
    why="A line without end is the cheapest way to fill a server's memory.",
    cites=(sources.HTTP_TOO_LONG,),
    promises=("max_message",),
    quiet=True,
    connections=lambda case: 2,
)
def oversize(lab: Lab) -> None:
    size = lab.promises.max_message or 0
    before = lab.probe.resident()
    over = lab.play(
        "oversize",
        connect(),
        ask("within the limit"),
        wait("go", mark="ready"),
        send(size=size + 1, unanswered=True),
        expect(anything=True, eof=True, reset=True, within_s=10),
        close(),
        count=2,
        must="ended",
    )
    over.reached("ready")
    lab.trigger(over)
    over.go()
    over.ended(within_s=20)
    endless = lab.play(
        "endless",
        connect(),
        send(size=OFFERED, newline=False, unanswered=True),
        expect(anything=True, eof=True, reset=True, within_s=10),
        close(),
        must="ended",
    )
    endless.ended(within_s=30)
    lab.expect_bounded_memory(
        before, offered=OFFERED, allowed=max(64 * MIB, 4 * size), how="a line without end"
    )
    endless.drop()
    lab.expect_removed(over, endless)
