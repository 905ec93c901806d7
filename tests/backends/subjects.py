"""Servers of one line, so that these tests need none of the project's own."""

from __future__ import annotations

import textwrap
from pathlib import Path

from iolab.harness.subject.manifest import Subject

PORT = 8001


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs the code."""
    return ("python3", "-c", textwrap.dedent(code), *arguments)


def serving(name: str, code: str, files: Path | None = None, **fields: object) -> Subject:
    """A subject that runs the code with `HOST` and `PORT` known to it."""
    head = "import sys\nHOST, PORT = sys.argv[1], int(sys.argv[2])\n"
    return Subject(
        name=name,
        manifest=None,
        port=PORT,
        command=python(head + textwrap.dedent(code), "{host}", "{port}"),
        files=files,
        **fields,  # type: ignore[arg-type]
    )


_LISTEN = """
import socket
family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
server = socket.socket(family)
{options}
server.bind((HOST, PORT))
server.listen()
print("listening", flush=True)
"""
_REUSE = "server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)"

# Serves one connection after another.
_SERVE = """
while True:
    connection, peer = server.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.close()
"""

ECHO = serving("echo", _LISTEN.format(options=_REUSE) + _SERVE)

# Closes first, so that TIME-WAIT stays on its side, and cannot bind while it does.
CLOSES_FIRST = serving(
    "closes-first", _LISTEN.format(options="") + "while True:\n    server.accept()[0].close()\n"
)

TALKATIVE = serving(
    "talkative",
    """
    import os, time
    os.write(1, b"first\\nsec")
    os.write(2, b"a complaint\\n")
    os.write(1, b"ond\\nunfinished")
    os._exit(3)
    """,
)

# Prints for as long as somebody reads, and repeats what it is told.
PRINTS_WITHOUT_END = serving("prints", "while True: print('x' * 1000)")
REPEATS = serving("repeats", "for line in sys.stdin: print('heard', line, end='', flush=True)")

# Leaves a child behind that holds the port.
LEAVES_A_CHILD = serving(
    "leaves-a-child",
    _LISTEN.format(options=_REUSE)
    + """
import os, time
if os.fork() == 0:
    time.sleep(1000)
print("has a child", flush=True)
os.waitpid(-1, 0)
""",
)

# Uses all the CPU that it can have.
THINKS = serving("thinks", "print('thinking', flush=True)\nwhile True: pass")

TAKES_MEMORY = serving(
    "takes-memory", "sys.stdin.readline(); x = b'x' * (256 << 20); print('taken', len(x))"
)
