"""The command line of the client: a prompt, `play`, and `agent`."""

import argparse
import socket
import sys
from ipaddress import ip_address

from . import agent, play, prompt
from .fields import Invalid
from .script import load, names

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
        return _play(arguments[1:])
    parsed = _prompt_parser().parse_args(arguments)
    return prompt.main(parsed.host, parsed.port, parsed.bind)


def _play(arguments: list[str]) -> int:
    parsed = _play_parser().parse_args(arguments)
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


def _prompt_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client",
        description="Talk to a server: each line typed is sent, replies appear when they arrive. "
        "Ctrl-D ends your side and waits for the rest, Ctrl-C leaves.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_target(parser)
    return parser


def _play_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m client play",
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
    return argparse.ArgumentParser(
        prog="python -m client agent",
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
        raise argparse.ArgumentTypeError("an IPv4 or IPv6 address") from None


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds
