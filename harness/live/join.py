"""`make client`: a prompt inside the running lab, where the server sees one more client."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence

from iolab.client.prompt import Prompt
from iolab.harness.command_line import Parser
from iolab.harness.live.rendezvous import NoLab, enter, last_words


def main(arguments: Sequence[str]) -> int:
    """Talk to the server of the newest running lab; the exit status of the prompt there."""
    Parser(
        prog="iolab client",
        description="Open a prompt inside the running lab: each line is sent, replies appear"
        " when they arrive. Ctrl-D ends your side and waits for the rest, Ctrl-C leaves.",
    ).parse_args(arguments)
    try:
        greeting, way, door = enter()
    except NoLab as why:
        print(f"iolab: {why}", file=sys.stderr)
        return 1
    if sys.stdin.isatty():
        print(f"You are the lab's client {greeting['name']!r}, at {greeting['server']}.")
        print("Type a line to send it. Ctrl-D ends your side, Ctrl-C leaves.")
    with door, way:
        status = Prompt(way, sys.stdin.fileno(), sys.stdout.fileno()).run()
        door.shutdown(socket.SHUT_WR)
        words = last_words(door)
    if words.get("said"):
        print(words["said"], file=sys.stderr)
    return status or (1 if words.get("status") == 1 else 0)
