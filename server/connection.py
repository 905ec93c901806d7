"""The life of one connection, without IO: bytes in, bytes out, and a table of states.

The drivers under `server/models/` move bytes between a socket and a `Connection`, each in its own
way; what a connection does with them is decided here, once, for all. So this file imports no
socket and can be tested without one.

A driver calls

- `receive_data` and `receive_eof` with what came in,
- `data_sent` while there is `output`, with how much of it was sent,
- `fin_sent` once it has shut our side down because of `wants_fin`,
- `expire` when the timer it set for `patience` seconds has rung,
- `abort` when a system call failed,

and after each of them follows what the connection says: `wants_read`, `wants_write`, `wants_fin`,
and whether its state is `CLOSED`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from .framing import Block, Framing, LineFraming, RawFraming
from .reply import REPLIES, echo
from .settings import Settings

LINGER_S = 2.0
"""How long a peer that was told to go may keep its own side open before we let go of it."""


class State(Enum):
    """Where a connection is. In brackets: the states of RFC 9293 that its socket shows meanwhile.

    Of those in which only the two kernels still speak with each other nothing is kept here.
    """

    __hash__ = object.__hash__  # by identity, as it is compared; Enum's is a call of Python's own

    OPEN = "messages are read and answered [ESTABLISHED]"
    STOPPING = "the server stops: what has begun is finished [ESTABLISHED]"
    CLOSE_WAIT = "the peer has said all; the rest of the answers is sent [CLOSE-WAIT]"
    FLUSHING = "we have said our last word, and it is being sent; nothing is read [ESTABLISHED]"
    FIN_DUE = "all is sent; the driver shuts our side down [ESTABLISHED]"
    FIN_WAIT = "our FIN is sent; what still comes is thrown away [FIN-WAIT-1, FIN-WAIT-2]"
    CLOSED = "over; the driver closes the socket"


class Event(Enum):
    """What can happen to a connection."""

    __hash__ = object.__hash__

    DATA = "bytes came in"
    FIN_RECEIVED = "the peer's FIN came in, after its last byte"
    FINISH = "we end it: the message was refused, or the operator closes"
    STOP = "the server stops"
    DRAINED = "a server that stops has read all, and nothing has begun that is not finished"
    FLUSHED = "nothing is left to send"
    FIN_SENT = "our side is shut down: our FIN follows our last byte"
    ABORT = "a system call failed, or patience ran out"


OPEN, STOPPING, CLOSE_WAIT, FLUSHING, FIN_DUE, FIN_WAIT, CLOSED = State
DATA, FIN_RECEIVED, FINISH, STOP, DRAINED, FLUSHED, FIN_SENT, ABORT = Event

# Why FIN_WAIT reads on: a socket that is closed while bytes from the peer are unread, or before
# the last of them come, answers with a reset (RFC 9293, section 3.6.1, SHLD-3; RFC 2525, section
# 2.17), and that may destroy our last words on their way. So what comes is read and thrown away for
# a while, which servers of HTTP call a lingering close.
TRANSITIONS: dict[State, dict[Event, State]] = {
    OPEN: {
        DATA: OPEN,
        FIN_RECEIVED: CLOSE_WAIT,
        FINISH: FLUSHING,
        STOP: STOPPING,
        ABORT: CLOSED,
    },
    STOPPING: {
        DATA: STOPPING,
        FIN_RECEIVED: CLOSE_WAIT,
        FINISH: FLUSHING,
        DRAINED: FIN_DUE,
        ABORT: CLOSED,
    },
    CLOSE_WAIT: {
        FINISH: CLOSE_WAIT,
        STOP: CLOSE_WAIT,
        FLUSHED: CLOSED,
        ABORT: CLOSED,
    },
    FLUSHING: {
        FINISH: FLUSHING,
        STOP: FLUSHING,
        FLUSHED: FIN_DUE,
        ABORT: CLOSED,
    },
    FIN_DUE: {
        FINISH: FIN_DUE,
        STOP: FIN_DUE,
        FIN_SENT: FIN_WAIT,
        ABORT: CLOSED,
    },
    FIN_WAIT: {
        DATA: FIN_WAIT,
        FIN_RECEIVED: CLOSED,
        FINISH: FIN_WAIT,
        STOP: FIN_WAIT,
        ABORT: CLOSED,
    },
    CLOSED: {},
}

_NOTHING: list[Block] = []  # shared by all that have nothing to send later; never changed

_READING = frozenset(state for state, row in TRANSITIONS.items() if DATA in row)


class StateError(Exception):
    """A driver did what cannot happen in this state: a fault of ours, never of the peer."""


class Connection:
    """One connection: framing, answers, limits. `received` and `sent` count bytes.

    `show`, if given, is called with the messages of each block before they are answered.
    """

    __slots__ = (
        "_echoes",
        "_framing",
        "_held",
        "_later",
        "_later_size",
        "_reply",
        "_settings",
        "_show",
        "_strict",
        "output",
        "owed",
        "reason",
        "received",
        "sent",
        "state",
    )

    def __init__(
        self, settings: Settings, show: Callable[[list[bytes]], None] | None = None
    ) -> None:
        self.state = OPEN
        self.reason = ""
        """Why it ended, for the log; the first reason stays."""
        self.received = self.sent = 0
        self.output: Block | memoryview = b""
        """The next bytes for the peer, the same ones until `data_sent` says they are gone."""
        self.owed: deque[bytes] | None = deque() if settings.reply == "operator" else None
        """Messages that wait for the operator's answer, oldest first; None: no operator."""
        self._later: list[Block] = _NOTHING
        self._later_size = 0
        self._held = False
        self._settings = settings
        self._framing: Framing = (
            LineFraming(settings.max_message) if settings.framing == "line" else RawFraming()
        )
        self._reply = REPLIES[settings.reply]
        self._strict = settings.invalid_utf8 == "close"
        self._show = show
        self._echoes = self._reply is echo and not self._strict and show is None

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the peer. Raises `StateError` where `wants_read` was False."""
        self.received += len(data)
        if self.state is not OPEN:
            self._fire(DATA)
            if self.state is FIN_WAIT:
                return
        framing = self._framing
        block = framing.feed(data)
        if block is data and self._echoes and not self.output:
            self.output = block  # nearly always: what the rest would come to, at half the cost
            return
        if block:
            self._take(block)
        if framing.oversize:
            limit = self._settings.max_message
            self.finish("oversize", b"error: message longer than %d bytes\n" % limit)

    @property
    def messages(self) -> int:
        """Whole messages that came."""
        return self._framing.messages

    def receive_eof(self) -> None:
        """Take the peer's FIN: no more will come, what came is still answered."""
        if self.state is FIN_WAIT:
            self._fire(FIN_RECEIVED)
            return
        partial = self._framing.partial
        if partial and (self._settings.unfinished_line == "answer" or self._keeps_no_lines):
            self._take(partial)
        if self.state in _READING:  # else the last message was refused just now
            self._fire(FIN_RECEIVED)
            self.reason = self.reason or "eof"
        self._flushed()

    @property
    def _keeps_no_lines(self) -> bool:
        return self._settings.framing == "raw"

    def _take(self, block: Block) -> None:
        """Answer the messages of a block, or remember that they wait for an answer."""
        framing = self._framing
        if self._strict:
            valid = framing.valid_text(block)
            if valid < len(block):
                if valid:
                    self._take(block[:valid])
                self.finish("invalid-utf8", b"error: message is not UTF-8\n")
                return
        if self._show is not None:
            self._show(framing.split(block))
        if self._reply is not None:
            self._send(self._reply(block))
        elif self.owed is not None:
            self.owed.extend(framing.split(block))

    def answer(self, text: bytes) -> bool:
        """Send the operator's answer to the oldest waiting message; False if none waits."""
        if not self.owed:
            return False
        self.owed.popleft()
        self._send(text + b"\n" if self._settings.framing == "line" else text)
        return True

    def _send(self, data: Block) -> None:
        if not self.output:
            self.output = data
            return
        if not self._later_size:
            self._later = []
        self._later.append(data)
        self._later_size += len(data)
        if self.unsent >= self._settings.high_water:
            self._held = True

    def data_sent(self, count: int) -> bool:
        """The kernel took the first `count` bytes of `output`, perhaps none.

        True: that was all, and it is OPEN, so that reading is all it wants.
        """
        self.sent += count
        if count < len(self.output) or self._later_size:
            self._keep_rest(count)
            return False
        self.output = b""
        self._held = False
        if self.state is OPEN:
            return True
        self._flushed()
        return False

    def _keep_rest(self, count: int) -> None:
        if count == len(self.output):
            self.output = b"".join(self._later)
            self._later, self._later_size = _NOTHING, 0
        elif count:
            self.output = memoryview(self.output)[count:]
        if self.unsent >= self._settings.high_water:
            self._held = True
        elif self.unsent <= self._settings.low_water:
            self._held = False

    @property
    def unsent(self) -> int:
        """Bytes of answers that the kernel has not taken yet."""
        return len(self.output) + self._later_size

    def _flushed(self) -> None:
        """Go on to what follows the last byte, if it was that."""
        if self.output or (self.state is CLOSE_WAIT and self.owed):
            return
        if FLUSHED in TRANSITIONS[self.state]:
            self._fire(FLUSHED)

    def finish(self, reason: str, last_words: bytes = b"") -> None:
        """End it from our side: send what is owed to the wire and `last_words`, then our FIN."""
        self._fire(FINISH)
        self.reason = self.reason or reason
        if self.owed:
            self.owed.clear()
        if last_words:
            self._send(last_words)
        self._flushed()

    def stop(self) -> None:
        """The server stops: finish what has begun. `input_drained` then tells when that is."""
        self._fire(STOP)

    def input_drained(self) -> None:
        """The driver read until nothing was left: a stopping server may say goodbye now."""
        if self.state is STOPPING and not self.output and not self._framing.partial:
            self._fire(DRAINED)
            self.reason = "shutdown"

    def fin_sent(self) -> None:
        """The driver shut our side down; `patience` is another now.

        Raises `StateError` where `wants_fin` was False.
        """
        self._fire(FIN_SENT)

    def abort(self, reason: str) -> None:
        """Nothing more can be done for this peer."""
        self._fire(ABORT)
        self.reason = self.reason or reason

    @property
    def patience(self) -> float:
        """Seconds until `expire` is to be called, from now; 0: never."""
        return LINGER_S if self.state is FIN_WAIT else self._settings.idle_timeout

    def expire(self, quiet_for: float) -> float:
        """The timer rang, and the peer has neither given nor taken a byte for so many seconds.

        Returns the seconds until the timer is to ring again; 0 if the connection is now CLOSED.
        FIN_WAIT ends whatever the peer does, or a peer that talks on would hold us for ever. A
        peer that waits for the operator is not idle by its own doing, as long as it listens.
        """
        if self.state is not FIN_WAIT:
            if self.owed and self.state is OPEN:
                return self.patience
            if quiet_for < self.patience:
                return self.patience - quiet_for
        self.abort("idle-timeout")
        return 0

    @property
    def takes_data(self) -> bool:
        """`receive_data` and `receive_eof` may be called: a read that is under way has a use."""
        return self.state in _READING

    @property
    def wants_read(self) -> bool:
        """Bytes from the peer are of use now. False while it does not take its answers."""
        return self.state in _READING and not self._held

    @property
    def wants_write(self) -> bool:
        """There is something to send."""
        return len(self.output) > 0 and self.state is not CLOSED

    @property
    def wants_fin(self) -> bool:
        """Our side is to be shut down now; then comes `fin_sent`."""
        return self.state is FIN_DUE

    def _fire(self, event: Event) -> None:
        try:
            self.state = TRANSITIONS[self.state][event]
        except KeyError:
            raise StateError(
                f"the server's side of a connection in {self.state.name} cannot take {event.name}"
            ) from None
