"""What the fields of a manifest hold: each type with its limits, and with words for them."""

from __future__ import annotations

from typing import Annotated, Any

from iolab.harness.tables import allowed


def _whole(pattern: str) -> str:
    """The pattern of a whole text: Python's `$` also stands before a newline at the end."""
    return rf"^(?:{pattern})$(?!\n)"


def _command(value: Any) -> str:
    if isinstance(value, str) and value:
        return f"a list of words, like {value.split()!r}"
    return "a list of words, the program first"


_NAME = "letters, digits, '.', '_' and '-'"
_OUTCOME = r"^\s*(reply|cleanup)\s*:\s*\S"

Text = Annotated[str, allowed("a text", min_length=1)]
Name = Annotated[str, allowed(_NAME, pattern=_whole(r"[A-Za-z0-9][A-Za-z0-9._-]*"))]
Port = Annotated[int, allowed("a whole number from 1 to 65535", ge=1, le=65535)]
Count = Annotated[int, allowed("a whole number above 0", ge=1)]
Seconds = Annotated[float, allowed("a number of seconds above 0", gt=0, lt=86_400)]
Command = Annotated[tuple[str, ...], allowed(_command, min_length=1)]
Image = Annotated[str, allowed("the name of an image", min_length=1)]
Folder = Annotated[str, allowed("a folder, relative to the manifest")]
Profile = Annotated[str, allowed("a seccomp profile in JSON, relative to the manifest")]
Environment = Annotated[dict[str, str], allowed("a table of names and texts")]
User = Annotated[str, allowed('"UID" or "UID:GID", in digits', pattern=_whole("[0-9]+(:[0-9]+)?"))]
Paths = Annotated[
    tuple[Annotated[str, allowed("an absolute path", pattern="^/")], ...],
    allowed("a list of absolute paths in the container"),
]
Capabilities = Annotated[
    tuple[Annotated[str, allowed("a capability", pattern=_whole("[A-Z_]+"))], ...],
    allowed('a list of names like "NET_BIND_SERVICE"'),
]
Outcomes = Annotated[
    dict[str, Annotated[str, allowed('"reply: …" or "cleanup: …"', pattern=_OUTCOME)]],
    allowed('a table like "slow.sender" = "reply: the reason"'),
]
