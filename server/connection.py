"""The life of one connection, without IO: bytes in, bytes out, and a table of states.

The drivers under `server/models/` move bytes between a socket and a `Connection`, each in its own
way; what a connection does with them is decided here, once, for all. So this file imports no
socket and can be tested without one.

A driver calls

- `receive_data` and `receive_eof` with what came in,
- `data_sent` while there is `output`, with how much of it was sent,
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
    """Where a connection is. The TCP states of RFC 9293 that it shows as are in brackets."""

    __hash__ = object.__hash__  # by identity, as it is compared; Enum's is a call of Python's own

    OPEN = "messages are read and answered [ESTABLISHED]"
    STOPPING = "the server stops: what has begun is finished [ESTABLISHED]"
    HALF_CLOSED = "the peer has said all; the rest of the answers is sent [CLOSE-WAIT]"
    CLOSING = "we have said our last word; it is sent, nothing is read [ESTABLISHED]"
    LINGERING = "our FIN is sent; what still comes is thrown away [FIN-WAIT]"
    CLOSED = "over; the driver closes the socket"


class Event(Enum):
    """What can happen to a connection."""

    __hash__ = object.__hash__

    DATA = "bytes came in"
    EOF = "the peer's FIN came in"
    FINISH = "we end it: the message was refused, or the operator closes"
    STOP = "the server stops"
    QUIET = "nothing has begun that is not finished"
    FLUSHED = "nothing is left to send"
    ABORT = "a system call failed, or patience ran out"


OPEN, STOPPING, HALF_CLOSED, CLOSING, LINGERING, CLOSED = State
DATA, EOF, FINISH, STOP, QUIET, FLUSHED, ABORT = Event

# Why LINGERING: closing a socket while bytes from the peer are unread, or before the last of them
# arrive, answers with a reset (RFC 9293, section 3.10.4; RFC 2525, section 2.17), and that may
# destroy our last words on their way. So the peer's bytes are read and thrown away for a while.
TRANSITIONS: dict[State, dict[Event, State]] = {
    OPEN: {
        DATA: OPEN,
        EOF: HALF_CLOSED,
        FINISH: CLOSING,
        STOP: STOPPING,
        ABORT: CLOSED,
    },
    STOPPING: {
        DATA: STOPPING,
        EOF: HALF_CLOSED,
        FINISH: CLOSING,
        QUIET: LINGERING,
        ABORT: CLOSED,
    },
    HALF_CLOSED: {
        FINISH: HALF_CLOSED,
        STOP: HALF_CLOSED,
        FLUSHED: CLOSED,
        ABORT: CLOSED,
    },
    CLOSING: {
        FINISH: CLOSING,
        STOP: CLOSING,
        FLUSHED: LINGERING,
        ABORT: CLOSED,
    },
    LINGERING: {
        DATA: LINGERING,
        EOF: CLOSED,
        FINISH: LINGERING,
        STOP: LINGERING,
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
            if self.state is LINGERING:
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
        if self.state is LINGERING:
            self._fire(EOF)
            return
        partial = self._framing.partial
        if partial and (self._settings.unfinished_line == "answer" or self._keeps_no_lines):
            self._take(partial)
        if self.state in _READING:  # else the last message was refused just now
            self._fire(EOF)
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
        if self.output or (self.state is HALF_CLOSED and self.owed):
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
            self._fire(QUIET)
            self.reason = "shutdown"

    def abort(self, reason: str) -> None:
        """Nothing more can be done for this peer."""
        self._fire(ABORT)
        self.reason = self.reason or reason

    @property
    def patience(self) -> float:
        """Seconds until `expire` is to be called, from now; 0: never."""
        return LINGER_S if self.state is LINGERING else self._settings.idle_timeout

    def expire(self, quiet_for: float) -> float:
        """The timer rang, and the peer has neither given nor taken a byte for so many seconds.

        Returns the seconds until the timer is to ring again; 0 if the connection is now CLOSED.
        LINGERING ends whatever the peer does, or a peer that talks on would hold us for ever. A
        peer that waits for the operator is not idle by its own doing, as long as it listens.
        """
        if self.state is not LINGERING:
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
        """Our side is to be shut down, if the driver has not done so yet."""
        return self.state is LINGERING

    def _fire(self, event: Event) -> None:
        try:
            self.state = TRANSITIONS[self.state][event]
        except KeyError:
            raise StateError(
                f"a connection in {self.state.name} cannot take {event.name}"
            ) from None
