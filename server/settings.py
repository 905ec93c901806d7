"""The command line: flags with their limits, read once into a frozen `Settings`.

Times are seconds, sizes are bytes. What cannot be meant is refused here, in one line that names
the flag and what it takes, so that no other file has to check a value again.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import NoReturn

from . import models
from .reply import REPLIES

KEEPALIVE_PROBES = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What one server was asked to be. Field names are the flags' names."""

    model: str
    host: str
    port: int
    framing: str
    reply: str
    backlog: int
    idle_timeout: float
    keepalive: int
    user_timeout: float
    max_message: int
    high_water: int
    max_connections: int
    grace: float
    unfinished_line: str
    invalid_utf8: str
    log: str
    log_messages: bool

    @property
    def low_water(self) -> int:
        """Unsent bytes at which a peer that was held at `high_water` is read from again."""
        return self.high_water // 4

    @property
    def keepalive_interval(self) -> int:
        """Whole seconds between probes; TCP_KEEPINTVL has no finer unit (tcp(7)).

        With a user timeout the kernel ends the connection at the first probe that is due after
        it, counting from the last byte received (`tcp_keepalive_timer`): the room between
        `keepalive` and `user_timeout` is divided so that one lost probe is no verdict.
        """
        room = self.user_timeout - self.keepalive if self.user_timeout else self.keepalive
        return max(1, int(room) // KEEPALIVE_PROBES)

    @property
    def detect_vanished_s(self) -> float | None:
        """Longest time until a peer that vanished is noticed, idle or not; None: no promise."""
        if not self.keepalive:
            return None
        interval = self.keepalive_interval
        if not self.user_timeout:
            return None  # unacknowledged data is then retried for as long as tcp_retries2 says
        probes = max(1, math.ceil((self.user_timeout - self.keepalive) / interval))
        return max(self.user_timeout, float(self.keepalive + probes * interval))


class _OneLineParser(argparse.ArgumentParser):
    """argparse, but a mistake costs the reader one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2)


def _bounded(
    convert: type[int] | type[float], low: int, high: float, unit: str = ""
) -> Callable[[str], float]:
    """A converter for argparse that takes numbers in `low`..`high` and says so otherwise."""
    allowed = f"{low} to {high:g}" if high < math.inf else f"{low} or more"
    kind = ("a whole number" if convert is int else "a number") + (f" of {unit}" if unit else "")

    def parse(text: str) -> float:
        try:
            value = convert(text)
        except ValueError:
            value = convert(-1)
        if not low <= value <= high or not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"{text!r} is not allowed: {kind}, {allowed}")
        return value

    return parse


def parse(arguments: Sequence[str], program: str = "server") -> Settings:
    """Settings from command-line `arguments`; exits with status 2 and one line if they are bad."""
    parser = _parser(program)
    values = vars(parser.parse_args(arguments))
    return Settings(**{field.name: values[field.name] for field in fields(Settings)})


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog=program,
        description="A TCP server that shows one way of waiting for input and output.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    seconds = _bounded(float, 0, 1_000_000, "seconds")
    whole_seconds = _bounded(int, 0, 32_767, "seconds")  # the kernel's MAX_TCP_KEEPIDLE
    add = parser.add_argument
    add(
        "--model",
        choices=(*models.NAMES, "auto"),
        default="select",
        help="how it waits; auto: the best that this kernel offers",
    )
    add("--host", default="::", help="address to listen on; :: serves IPv4 and IPv6")
    add("--port", type=_bounded(int, 0, 65_535), default=8001, help="0: any free port")
    add(
        "--framing",
        choices=("line", "raw"),
        default="line",
        help="line: a message ends in a newline; raw: each piece received is a message",
    )
    add(
        "--reply",
        choices=tuple(REPLIES),
        default="echo",
        help="compute: as echo, after a quarter of a second of computing; "
        "operator: a person answers, on standard input",
    )
    add(
        "--backlog",
        type=_bounded(int, 1, 65_535, "connections"),
        default=4096,
        help="connections that may wait to be accepted",
    )
    add(
        "--idle-timeout",
        type=seconds,
        default=300.0,
        help="seconds without a byte given or taken by the peer; 0: for ever",
    )
    add(
        "--keepalive",
        type=whole_seconds,
        default=30,
        help="idle seconds before the kernel probes the peer; 0: off",
    )
    add(
        "--user-timeout",
        type=seconds,
        default=60.0,
        help="seconds that sent bytes may go unacknowledged; 0: the kernel's own patience",
    )
    add(
        "--max-message",
        type=_bounded(int, 1, 2**30, "bytes"),
        default=2**20,
        help="bytes of a message before its newline",
    )
    add(
        "--high-water",
        type=_bounded(int, 1, 2**30, "bytes"),
        default=2**18,
        help="unsent bytes at which a peer is no longer read from",
    )
    add(
        "--max-connections",
        type=_bounded(int, 0, 2**20, "connections"),
        default=0,
        help="0: as many as the model and the descriptors allow",
    )
    add(
        "--grace",
        type=seconds,
        default=5.0,
        help="seconds to finish what is in flight after SIGTERM or SIGINT",
    )
    add(
        "--unfinished-line",
        choices=("drop", "answer"),
        default="drop",
        help="what becomes of a last line without a newline",
    )
    add(
        "--invalid-utf8",
        choices=("echo", "close"),
        default="echo",
        help="what becomes of a message that is not UTF-8",
    )
    add(
        "--log",
        choices=("auto", "json", "text"),
        default="auto",
        help="form of the log; auto: text on a terminal, else JSON lines",
    )
    add("--log-messages", action="store_true", help="log every message too")
    return parser
