"""Who is measured: each by a name, and the command that serves `{address}` and `{port}`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from iolab.server import models

EXTRA = "requirements-bench.txt"


@dataclass(frozen=True)
class Contestant:
    """A server that echoes lines. `needs` is the module that has to be installed for it."""

    name: str
    title: str
    command: tuple[str, ...]
    needs: str | None = None

    @property
    def ours(self) -> bool:
        """Whether it is one of this project's models: they log, keep time, and have limits."""
        return self.name in models.NAMES

    @property
    def in_python(self) -> bool:
        """Whether it is written in Python."""
        return self.command[0] == sys.executable

    def absent(self) -> str | None:
        """Why it cannot be measured here, or None."""
        if self.needs is not None and importlib.util.find_spec(self.needs) is None:
            return f"{self.needs} is not installed ({EXTRA})"
        if self.ours:
            return models.load(self.name).unavailable()
        return None


def _model(name: str) -> Contestant:
    command = ("-m", "server", "--model", name, "--host", "{address}", "--port", "{port}")
    return Contestant(name, f"our {name}", (sys.executable, *command))


def _python(
    name: str, title: str, module: str, *first: str, needs: str | None = None
) -> Contestant:
    command = ("-m", f"bench.contestants.{module}", *first, "{address}", "{port}")
    return Contestant(name, title, (sys.executable, *command), needs)


C_SERVER = "c-epoll"

CONTESTANTS: Mapping[str, Contestant] = {
    contestant.name: contestant
    for contestant in (
        *(_model(name) for name in models.NAMES),
        _python("asyncio-protocol", "asyncio Protocol", "asyncio_protocol", "asyncio"),
        _python("asyncio-streams", "asyncio streams", "asyncio_streams", "asyncio"),
        _python("uvloop-protocol", "uvloop Protocol", "asyncio_protocol", "uvloop", needs="uvloop"),
        _python("uvloop-streams", "uvloop streams", "asyncio_streams", "uvloop", needs="uvloop"),
        _python("gevent", "gevent", "gevent_server", needs="gevent"),
        _python("twisted", "Twisted", "twisted_server", needs="twisted"),
        _python("trio", "trio", "trio_server", needs="trio"),
        _python("socketserver", "socketserver, threaded", "socketserver_server"),
        _python("poll-loop", "plain poll loop", "poll_loop"),
        Contestant(C_SERVER, "epoll in C", ("{programs}/epoll_echo", "{address}", "{port}")),
    )
}
