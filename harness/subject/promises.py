"""What a subject promises: the table `[promises]` of its manifest."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from iolab.harness.subject.kinds import Count, Seconds


class LinePromises(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What only a subject that speaks lines can promise; None where it does not."""

    max_message: Annotated[
        Count | None,
        Meta(description="The longest message that it serves, in bytes before the newline."),
    ] = None
    unfinished_line: Annotated[
        Literal["drop", "answer"] | None,
        Meta(description="What becomes of a line without a newline when its sender ends."),
    ] = None
    invalid_utf8: Annotated[
        Literal["echo", "close"] | None,
        Meta(description="What becomes of a line that is not UTF-8, or of its connection."),
    ] = None


class Promises(LinePromises, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the server promises: nothing is demanded that is not named here."""

    # None where it does not promise. What only one protocol has is of its own struct; those of
    # `line` may stand here without a table around them.
    idle_timeout_s: Annotated[
        Seconds | None,
        Meta(description="A connection on which nothing happens is ended after so many seconds."),
    ] = None
    detect_vanished_s: Annotated[
        Seconds | None,
        Meta(description="A peer that is gone without a word is missed within so many seconds."),
    ] = None
    message_deadline_s: Annotated[
        Seconds | None,
        Meta(description="A message that was begun must be whole within so many seconds."),
    ] = None
    half_close: Annotated[
        bool | None,
        Meta(description="Whether who has ended its own side still gets its answers."),
    ] = None
    graceful_stop_s: Annotated[
        Seconds | None,
        Meta(description="After SIGTERM it answers what it has, and exits within so many seconds."),
    ] = None
    max_connections: Annotated[
        Count | None,
        Meta(description="So many connections are served at once; more may be refused."),
    ] = None
