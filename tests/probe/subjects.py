"""Small servers for the probe to look at: `python subjects.py NAME`, which prints its port.

Each prints `PORT` once it listens, and then does the one thing that it is named after. A line on
standard input makes those that wait for one go on.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import NoReturn


def listen(host: str = "127.0.0.1", backlog: int = 128) -> socket.socket:
    """A listening socket, its port printed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server(
        (host, 0), family=family, backlog=backlog, dualstack_ipv6=host == "::"
    )
    print(listener.getsockname()[1], flush=True)
    return listener


def keep(host: str = "127.0.0.1") -> NoReturn:
    """Accepts, never reads and never closes: what its clients leave behind stays."""
    accept_and_keep(listen(host))


def keep_ipv6_only() -> NoReturn:
    """The same at the wildcard of IPv6, for nobody else."""
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=False)
    print(listener.getsockname()[1], flush=True)
    accept_and_keep(listener)


def accept_and_keep(listener: socket.socket) -> NoReturn:
    """For ever."""
    kept = []
    while True:
        kept.append(listener.accept())


def take_and_keep() -> NoReturn:
    """The same, but reads until the end, so that CLOSE-WAIT has nothing left to read."""
    listener = listen()
    kept = []
    while True:
        connection, _ = listener.accept()
        kept.append(connection)
        while connection.recv(1 << 16):
            pass


def close_at_end() -> NoReturn:
    """Serves one after the other and closes each when its client has."""
    listener = listen()
    while True:
        connection, _ = listener.accept()
        with connection:
            while connection.recv(1 << 16):
                pass


def accept_when_told() -> NoReturn:
    """Leaves everybody in the accept queue until it gets a line."""
    listener = listen(backlog=16)
    kept = []
    while sys.stdin.readline():
        kept.append(listener.accept())
    raise SystemExit


def send_for_ever() -> NoReturn:
    """Sends to a client that does not read, with a blocking `send`."""
    connection, _ = listen().accept()
    while True:
        connection.sendall(bytes(1 << 20))


def fork() -> None:
    """A child, its number printed, inherits the listener and stays; the parent ends at a line."""
    listener = listen()
    child = os.fork()
    if child == 0:
        listener.accept()
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()


def daemonize() -> None:
    """A daemon by double fork, in a session of its own; its parents end at once."""
    listener = listen()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print(f"daemon {os.getpid()}", flush=True)
            listener.accept()
        os._exit(0)


def leave_zombie() -> None:
    """Has a child, its number printed, that ended and that it never waits for."""
    listener = listen()
    child = os.fork()
    if child == 0:
        os._exit(0)
    print(child, flush=True)
    listener.accept()


def fork_without_end() -> NoReturn:
    """Forks again and again: somebody new is there at every look."""
    listener = listen()
    while listener:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    raise SystemExit


def spawn_without_end() -> NoReturn:
    """Runs one program after the other, each of which it waits for in vfork first."""
    listener = listen()
    while listener:
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    raise SystemExit


def wait_in_vfork(fifo: str) -> NoReturn:
    """Its child becomes a program only when somebody opens the FIFO to write."""
    listener = listen()
    os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 9, fifo, 0, 0)])
    accept_and_keep(listener)


def think() -> NoReturn:
    """Two threads: one waits in `accept`, one burns CPU."""
    listener = listen()
    threading.Thread(target=accept_and_keep, args=(listener,), daemon=True).start()
    print("two", flush=True)
    while True:
        pass


def ignore_terminate() -> NoReturn:
    """Cannot be ended by SIGTERM, and neither can its child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    listener = listen()
    child = os.fork()
    if child:
        print(child, flush=True)
    while listener:
        signal.pause()
    raise SystemExit


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
