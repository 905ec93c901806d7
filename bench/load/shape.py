"""What is asked of a server, and what one measurement of it saw."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from bench.serving import Server

LINE = 64
"""Bytes of a line, with its newline."""


@dataclass(frozen=True)
class Shape:
    """How a load looks: `active` connections that each send `lines` lines and wait for them, and
    `idle` ones that are silent; with `churn` each asks once, closes, and makes room for another."""

    active: int
    idle: int = 0
    lines: int = 1
    churn: bool = False


@dataclass(frozen=True)
class Sample:
    """One measurement: `messages` are lines that were answered in `seconds`, or whole
    connect-echo-close rounds with `churn`. The CPU times are of these seconds."""

    messages: int
    seconds: float
    server_cpu_s: float
    client_cpu_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cost_us(self) -> float:
        """Microseconds of the server's CPU a message."""
        return self.server_cpu_s / self.messages * 1e6


class LoadClient(Protocol):
    """A process that makes a load. Everything it does may raise `Failure`."""

    pid: int

    def connect(self) -> None:
        """Wait until all connections have been accepted."""

    def measure(self, warm_s: float, for_s: float) -> Sample:
        """Ask for both times, and count in the second. To be called once."""


Client = Callable[[Server, Shape], AbstractContextManager[LoadClient]]
"""Starts a load client."""
