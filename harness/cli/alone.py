"""Commands that need no lab: our server, and our client, which talks or plays a script."""

from __future__ import annotations

from collections.abc import Sequence

from iolab.client import command
from iolab.server import __main__ as server


def serve(arguments: Sequence[str]) -> int:
    """As `python -m server`."""
    return server.main(arguments, "iolab serve")


def talk(arguments: Sequence[str]) -> int:
    """As `python -m client`."""
    return command.talk(arguments, "iolab talk")


def play(arguments: Sequence[str]) -> int:
    """As `python -m client play`."""
    return command.play_script(arguments, "iolab play")
