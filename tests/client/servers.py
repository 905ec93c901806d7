"""Small servers for the client's tests: a right one, and some with one fault each.

A server is a function that serves one connection to its end, in a thread of its own.
"""

from __future__ import annotations

import select
import selectors
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

Serve = Callable[[socket.socket], None]
Address = tuple[str, int]


@contextmanager
def serving(serve: Serve, host: str = "127.0.0.1") -> Iterator[Address]:
    """Serve each connection in a thread; what is still open in the end is shut down."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=1000)
    open_ones: list[socket.socket] = []
    threads: list[Thread] = []

    def serve_one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.append(connection)
                threads.append(Thread(target=serve_one, args=(connection,)))
                threads[-1].start()

    acceptor = Thread(target=accept)
    acceptor.start()
    try:
        yield listener.getsockname()[:2]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        acceptor.join()
        listener.close()
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def lines(connection: socket.socket) -> Iterator[bytes]:
    """Whole lines, until the peer ends; half a line at the end is dropped."""
    with connection.makefile("rb") as stream:
        yield from (line for line in stream if line.endswith(b"\n"))


def echo(connection: socket.socket) -> None:
    for line in lines(connection):
        connection.sendall(line)


def upper(connection: socket.socket) -> None:
    for line in lines(connection):
        connection.sendall(line.decode().upper().encode())


def drops_a_byte(connection: socket.socket) -> None:
    for line in lines(connection):
        middle = len(line) // 2
        connection.sendall(line[:middle] + line[middle + 1 :])


def swaps_two_replies(connection: socket.socket) -> None:
    source = lines(connection)
    for first in source:
        connection.sendall(next(source, b"") + first)


def doubles_replies(connection: socket.socket) -> None:
    for line in lines(connection):
        connection.sendall(line * 2)


def never_answers(connection: socket.socket) -> None:
    for _ in lines(connection):
        pass


def never_reads(connection: socket.socket) -> None:
    hang_up = select.poll()
    hang_up.register(connection, 0)  # POLLHUP and POLLERR alone
    hang_up.poll()


def answers_half_and_ends(connection: socket.socket) -> None:
    line = next(lines(connection))
    connection.sendall(line[: len(line) // 2])


def answers_and_ends(connection: socket.socket) -> None:
    connection.sendall(next(lines(connection)))


def answers_and_half_closes(connection: socket.socket) -> None:
    connection.sendall(next(lines(connection)))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def resets(connection: socket.socket) -> None:
    next(lines(connection))
    reset(connection)


def refuses_in_words(connection: socket.socket) -> None:
    next(lines(connection))
    connection.sendall(b"too long\n")


def echoes_pieces(connection: socket.socket) -> None:
    """As raw framing has it: whatever comes is answered at once, urgent data in line."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    while data := connection.recv(65536):
        connection.sendall(data)


@contextmanager
def echoing_thousands() -> Iterator[Address]:
    """A right server for thousands of connections: one thread, one selector."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    stop, stopped = socket.socketpair()
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(stopped, selectors.EVENT_READ)
        thread = Thread(target=_echo_all, args=(selector, listener, stopped))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            stop.close()
            thread.join()
            listener.close()
            stopped.close()


def _echo_all(
    selector: selectors.BaseSelector, listener: socket.socket, stopped: socket.socket
) -> None:
    peers: set[socket.socket] = set()
    while True:
        for key, _ in selector.select():
            if key.fileobj is stopped:
                for peer in peers:
                    peer.close()
                return
            if key.fileobj is listener:
                with suppress(BlockingIOError):
                    while True:
                        peer, _ = listener.accept()
                        peers.add(peer)
                        selector.register(peer, selectors.EVENT_READ)
                continue
            peer = key.fileobj  # type: ignore[assignment]
            data = b""
            with suppress(OSError):
                data = peer.recv(65536)
                peer.sendall(data)
            if not data:
                selector.unregister(peer)
                peers.discard(peer)
                peer.close()
