"""Correct: a program of its own for each connection, as inetd has it.

The program is Perl's, begins in two milliseconds, and gets the connection as its standard input and
output. Nothing else is handed on: Python's descriptors close at `exec`, the listener with them. The
parent closes its copy, counts who lives, and takes the status of whoever ends as soon as the kernel
says so; who comes while the most are served is refused.
"""

from __future__ import annotations

import os
import signal
import socket
import time

from _listener import listen

MOST, WAITING = 100, 256
SERVE = r"$| = 1; while (<STDIN>) { last unless /\n\z/ and print }"
WORDS = ["perl", "-e", SERVE]

alive: set[int] = set()


def reap(*_: object) -> None:
    while True:
        try:
            ended, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            return
        alive.discard(ended)


def start(sock: socket.socket) -> None:
    """Let a program serve the client; OSError where none can be started."""
    # One that ended before it is known would be counted for ever.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        handed = [(os.POSIX_SPAWN_DUP2, sock.fileno(), number) for number in (0, 1)]
        alive.add(os.posix_spawnp(WORDS[0], WORDS, os.environ, file_actions=handed, setsigmask=[]))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def main() -> None:
    listener = listen()
    listener.listen(WAITING)  # no more than it can begin a program for while they are patient
    signal.signal(signal.SIGCHLD, reap)
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
            continue
        with sock:
            while len(alive) < MOST:
                try:
                    start(sock)
                    break
                except OSError:
                    time.sleep(0.05)  # nothing can be started; this one waits


main()
