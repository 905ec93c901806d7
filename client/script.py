"""Scripts: what a connection does, step by step, as data.

A script is read from TOML or from a JSON-shaped dict; both look the same. docs/protocol.md says
what each step means. Here they are only checked: a wrong script raises Invalid with one line that
names the file, the step (counted from 1; "4.2" is the second step of the repeat that is the
fourth) and the field, and says what is allowed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from .fields import Count, Flag, Invalid, Kind, Name, Octets, Positive, Rate, Seconds, Text, read
from .payload import Constant

LIBRARY = Path(__file__).parent / "scripts"
"""The scripts that come with the client, one TOML file each."""


def quantity(size: float) -> str:
    """A number of bytes for people: "1 byte", "64 bytes", "1.5 KiB", "16 MiB"."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return "1 byte" if size == 1 else f"{size:g} bytes"


def _list(value: object) -> object:
    if not isinstance(value, list | tuple):
        raise ValueError
    return value


Steps = Annotated[tuple["Step", ...], Kind("a list of steps", _list)]
Tables = Annotated[list[object], Kind("a list of steps", _list)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all steps have: `number` (as in errors), `mark` (reported when the step is entered) and
    `doing`, what the connection does meanwhile, in words for a live view."""

    number: str = ""
    mark: Name | None = None
    doing: Text = ""

    def __post_init__(self) -> None:
        self.check()
        if not self.doing:
            object.__setattr__(self, "doing", self.words())

    def check(self) -> None:
        """Raise Invalid when the fields do not go together."""

    def words(self) -> str:
        """What the step does, where the script's author said nothing."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Step):
    within_s: Seconds = 5.0
    receive_buffer: Positive | None = None
    send_buffer: Positive | None = None
    max_segment: Positive | None = None

    def words(self) -> str:
        return "connecting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Step):
    """The bytes of a `send` or an `ask`, and the pace at which they leave.

    `content` is what one message consists of, and `source` its bytes; of a message by `size`, the
    newline alone, and None. A message is `bare` if it leaves as fast as the kernel takes it.
    """

    text: Text | None = None
    hex: Octets | None = None
    size: Count | None = None
    newline: Flag = True
    times: Positive = 1
    piece: Positive | None = None
    pause_s: Seconds = 0.0
    rate: Rate | None = None
    urgent: Flag = False
    content: bytes = field(default=b"", init=False)
    source: Constant | None = field(default=None, init=False)
    bare: bool = field(default=True, init=False)

    def check(self) -> None:
        body = self.hex if self.hex is not None else (self.text or "").encode()
        object.__setattr__(self, "content", body + b"\n" if self.newline else body)
        bare = not (self.piece or self.pause_s or self.rate or self.urgent)
        object.__setattr__(self, "bare", bare)
        given = [name for name in ("text", "hex", "size") if getattr(self, name) is not None]
        if len(given) != 1:
            raise Invalid(f"exactly one of `text`, `hex` and `size` is needed, not {len(given)}")
        if not self.size and not self.content:
            raise Invalid(f"`{given[0]}` leaves nothing to send without a newline")
        if self.size is None:
            object.__setattr__(self, "source", Constant(self.content))
        if self.rate is not None and self.pause_s:
            raise Invalid("`rate` and `pause_s` both set the pace; give one of them")
        if self.urgent and self.text and not self.text[0].isascii():
            raise Invalid("`urgent` needs a `text` that starts with an ASCII character")

    def words(self) -> str:
        size = (self.size or 0) + len(self.content)
        what = quantity(size) if self.times == 1 else f"{self.times} × {quantity(size)}"
        if self.rate is not None:
            return f"sending {what} at {quantity(self.rate)}/s"
        pieces = f" in pieces of {quantity(self.piece)}" if self.piece else ""
        pauses = f" with pauses of {self.pause_s:g} s" if self.pause_s else ""
        return f"sending {what}{pieces}{pauses}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(Message):
    unanswered: Flag = False
    background: Flag = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Message):
    within_s: Seconds = 5.0
    tell_after_s: Seconds | None = None

    def words(self) -> str:
        # By name: a dataclass with slots is a second class, which super() does not know.
        return Message.words(self).replace("sending", "asking", 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood(Step):
    total: Positive
    size: Positive = 1024
    stalled_after_s: Seconds = 0.5

    def words(self) -> str:
        return f"sending {quantity(self.total)} without reading"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect(Step):
    replies: Positive | None = None
    text: Text | None = None
    hex: Octets | None = None
    bytes: Positive | None = None
    anything: Flag = False
    eof: Flag = False
    reset: Flag = False
    nothing_s: Seconds | None = None
    within_s: Seconds = 5.0
    rate: Rate | None = None

    def check(self) -> None:
        what = ("replies", "text", "hex", "bytes", "nothing_s")
        given = [name for name in what if getattr(self, name) is not None]
        if len(given) > 1:
            raise Invalid(f"`{given[0]}` and `{given[1]}` do not go together")
        if self.nothing_s is not None and (self.eof or self.reset or self.anything):
            raise Invalid("`nothing_s` does not go together with `eof`, `reset` or `anything`")
        if self.anything and not (self.eof or self.reset):
            raise Invalid("`anything` needs `eof` or `reset`, which says where it ends")
        if self.text == "" or self.hex == b"":
            raise Invalid("`text` or `hex` must hold at least one byte")

    @property
    def literal(self) -> Octets | None:
        """The exact bytes that are to come, if the script names them."""
        return self.text.encode() if self.text is not None else self.hex

    def words(self) -> str:
        if self.nothing_s is not None:
            return f"listening for {self.nothing_s:g} s that nothing comes"
        end = " or ".join(
            word for word, wanted in (("end", self.eof), ("reset", self.reset)) if wanted
        )
        if self.replies is not None:
            what = f"{self.replies} replies"
        elif self.bytes is not None:
            what = quantity(self.bytes)
        elif self.literal is not None:
            what = quantity(len(self.literal))
        else:
            what = f"the {end}" if end else "all replies"
        slowly = f", reading {quantity(self.rate)}/s" if self.rate else ""
        return f"waiting for {what}{slowly}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Step):
    on: Flag

    def words(self) -> str:
        return "reading again" if self.on else "no longer reading"


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfClose(Step):
    def words(self) -> str:
        return "ending its own side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Step):
    def words(self) -> str:
        return "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset(Step):
    def words(self) -> str:
        return "resetting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle(Step):
    for_s: Seconds

    def words(self) -> str:
        return f"idle for {self.for_s:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    go: Name

    def words(self) -> str:
        return f"waiting for go “{self.go}”"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(Step):
    times: Count = 0
    every_s: Seconds = 0.0
    steps: Steps

    def check(self) -> None:
        if not self.steps:
            raise Invalid("`steps` must hold at least one step")

    def words(self) -> str:
        return "resting between two rounds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(Step):
    past_end: Flag = False

    def words(self) -> str:
        return "holding the connection"


KINDS: dict[str, type[Step]] = {
    "connect": Connect,
    "send": Send,
    "ask": Ask,
    "flood": Flood,
    "expect": Expect,
    "read": Read,
    "half-close": HalfClose,
    "close": Close,
    "reset": Reset,
    "idle": Idle,
    "wait": Wait,
    "repeat": Repeat,
    "hang": Hang,
}


@dataclass(frozen=True, slots=True)
class Script:
    """A title, a sentence that says `what` it does, and the steps."""

    title: str
    what: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    step: Tables
    title: Text = ""
    what: Text = ""


def read_script(table: object, where: str) -> Script:
    """The script in a table; `where` (a file, a field) opens the line of an Invalid."""
    outer = read(_Table, table, where)
    if not outer.step:
        raise Invalid(f"{where}: `step` must hold at least one step")
    steps = _read_steps(outer.step, where, "")
    _check_order(steps, where, "unconnected")
    return Script(outer.title, outer.what, steps)


def load(name: str) -> Script:
    """The script in the file `name`, or the one of that name in the library.

    Raises Invalid if there is none, or it cannot be read.
    """
    import tomllib  # here, because agents never need it, and a lab waits for its agents

    path = Path(name)
    if not path.is_file():
        path = LIBRARY / f"{name}.toml"
    if not path.is_file():
        raise Invalid(f"{name}: no such script; there are {', '.join(names())}, or give a path")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{path.name}: {error}") from None
    return read_script(table, path.name)


def names() -> list[str]:
    """The names of the scripts in the library, sorted."""
    return sorted(path.stem for path in LIBRARY.glob("*.toml"))


def _read_steps(tables: Iterable[object], where: str, prefix: str) -> tuple[Step, ...]:
    return tuple(
        _read_step(table, where, f"{prefix}{place}") for place, table in enumerate(tables, 1)
    )


def _read_step(table: object, where: str, number: str) -> Step:
    where_step = f"{where}: step {number}"
    if not isinstance(table, Mapping):
        raise Invalid(f"{where_step}: a table with `do` is needed, not {table!r:.60}")
    name = table.get("do")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        problem = "`do` is missing" if name is None else f"`do` cannot be {name!r:.60}"
        raise Invalid(f"{where_step}: {problem}; allowed: {', '.join(KINDS)}")
    fields = {key: value for key, value in table.items() if key != "do"}
    if kind is Repeat and isinstance(fields.get("steps"), list):
        fields["steps"] = _read_steps(fields["steps"], where, f"{number}.")
    return read(kind, fields, f"{where_step} ({name})", number=number)


def _check_order(steps: tuple[Step, ...], where: str, state: str) -> str:
    """Follow the state of the connection through the steps; Invalid where a step cannot work."""
    for step in steps:
        place = f"{where}: step {step.number}"
        if isinstance(step, Repeat):
            state = _check_order(step.steps, where, state)
            if step.times != 1:
                state = _check_order(step.steps, where, state)
            continue
        if isinstance(step, Connect):
            state = "open"
        elif state == "unconnected" and not isinstance(step, Idle | Wait):
            raise Invalid(f"{place}: there is no connection here; a `connect` must come before it")
        elif isinstance(step, Close | Reset):
            state = "unconnected"
        elif state == "ended" and isinstance(step, Message | Flood | HalfClose):
            raise Invalid(f"{place}: nothing can be sent after a `half-close`")
        elif isinstance(step, HalfClose):
            state = "ended"
    return state
