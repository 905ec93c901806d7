"""The command line of the client: a prompt, `play`, and `agent`."""

import argparse
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NoReturn

from . import agent, play, prompt
from .fields import Invalid
from .script import load, names

_PROGRAM = "python -m client"

_EPILOG = """\
other commands:
  python -m client play SCRIPT HOST PORT   play a script and tell how it went
  python -m client agent                   play scripts as told on standard input
                                           (docs/protocol.md)
Each has its own --help.
"""


def main(arguments: list[str]) -> int:
    """Run the command; the exit status: 0, 1 if something failed, 2 for bad input."""
    if arguments[:1] == ["agent"]:
        _agent_parser().parse_args(arguments[1:])
        return agent.main()
    if arguments[:1] == ["play"]:
        return play_script(arguments[1:], f"{_PROGRAM} play")
    return talk(arguments, _PROGRAM, _EPILOG)


def talk(arguments: Sequence[str], program: str, epilog: str | None = None) -> int:
    """The prompt; its exit status. `program` is what usage and complaints begin with."""
    parsed = _prompt_parser(program, epilog).parse_args(arguments)
    return prompt.main(parsed.host, parsed.port, parsed.bind)


def play_script(arguments: Sequence[str], program: str) -> int:
    """Play a script; the exit status: 0, 1 if something failed, 2 for bad input."""
    parsed = _play_parser(program).parse_args(arguments)
    try:
        script = load(parsed.script)
        target = play.resolve(parsed.host, parsed.port, parsed.forever)
    except Invalid as error:
        print(error, file=sys.stderr)
        return 2
    except socket.gaierror as error:
        print(f"{parsed.host}: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0
    order = play.Order(
        name=parsed.name or parsed.script.rpartition("/")[2].removesuffix(".toml"),
        script=script,
        target=target,
        bind=(parsed.bind, 0) if parsed.bind else None,
        count=parsed.count,
        reply=parsed.reply,
        forever=parsed.forever,
        for_s=parsed.for_s,
        json=parsed.log == "json",
    )
    return play.Play(order).run()


class _OneLineParser(argparse.ArgumentParser):
    """argparse, but a mistake costs the reader one line instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"{self.prog}: {message}\n")
        raise SystemExit(2)


def _prompt_parser(program: str, epilog: str | None) -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog=program,
        description="Talk to a server: each line typed is sent, replies appear when they arrive. "
        "Ctrl-D ends your side and waits for the rest, Ctrl-C leaves.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_target(parser)
    return parser


def _play_parser(program: str) -> argparse.ArgumentParser:
    parser = _OneLineParser(
        prog=program,
        description="Play a script against a server and tell how it went. Scripts that repeat "
        "go on until Ctrl-C or --for. The status is 1 if an expectation failed, 2 for bad input.",
        epilog="scripts: " + ", ".join(names()),
    )
    parser.add_argument("script", metavar="SCRIPT", help="a name from the list below, or a path")
    _add_target(parser)
    parser.add_argument("--count", type=_positive, default=1, help="how many connections (1)")
    parser.add_argument("--for", dest="for_s", type=_seconds, help="finish after so many seconds")
    parser.add_argument("--forever", action="store_true", help="begin again whenever it has ended")
    parser.add_argument(
        "--reply", choices=["echo", "upper"], default="echo", help="how the server answers (echo)"
    )
    parser.add_argument(
        "--log", choices=["text", "json"], default="text", help="lines for people or programs"
    )
    parser.add_argument("--name", help="what the connections are called (the script's name)")
    return parser


def _agent_parser() -> argparse.ArgumentParser:
    return _OneLineParser(
        prog=f"{_PROGRAM} agent",
        description="Play scripts on thousands of connections, told by JSON lines on standard "
        "input, telling on standard output; docs/protocol.md is the contract. "
        "Ends with its input.",
    )


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", help="name or address of the server")
    parser.add_argument("port", metavar="PORT", type=_port, help="its TCP port")
    parser.add_argument(
        "--bind", metavar="ADDRESS", type=_address, help="own address to connect from (any)"
    )


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an IPv4 or IPv6 address, not {text!r}") from None


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a port, from 1 to 65535, not {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number above 0, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {text!r}")
    return seconds
