"""The listening socket: bind, listen, accept, and what a failing accept means."""

from __future__ import annotations

import errno
import socket
from typing import Any

from . import errors, tcp
from .settings import Settings

ACCEPT_RETRY_S = 0.5
"""How long accepting rests when there is no room for another socket and none of ours is closed."""


def peer_of(address: tuple[Any, ...]) -> str:
    """Who it is, of a socket address; an IPv4 peer of an IPv6 listener by its IPv4 address."""
    host = address[0].removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"


class OutOfDescriptors(Exception):
    """There is no room for another socket. `code` is the symbol of the error: `EMFILE`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Listener:
    """A bound and listening TCP socket, non-blocking.

    Raises `OSError` when the address cannot be had: in use, not ours, or not an address.
    """

    def __init__(self, settings: Settings) -> None:
        self.socket = _bind(settings.host, settings.port)
        self._family = self.socket.family
        tcp.set_options(self.socket, settings)
        self.socket.listen(settings.backlog)
        self.socket.setblocking(False)
        self.host, self.port = self.socket.getsockname()[:2]

    def fileno(self) -> int:
        """The descriptor to watch for incoming connections."""
        return self.socket.fileno()

    def accept(self) -> tuple[socket.socket, str] | None:
        """The next connection, non-blocking, and who it is.

        None if none waits, or, where the listener was made to wait, after it was shut down.
        Connections that died in the queue are skipped. Raises `OutOfDescriptors`; the connection
        then stays in the queue, and accepting can be tried again.
        """
        while True:
            try:
                # accept() would look up what kind of socket this is once more for each, by enums.
                fd, address = self.socket._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno == errno.EINVAL:
                    return None
                if error.errno in errors.PENDING_ON_ACCEPT:
                    continue
                if error.errno in errors.OUT_OF_DESCRIPTORS:
                    raise OutOfDescriptors(errors.name(error.errno)) from None
                raise
            accepted = socket.socket(self._family, socket.SOCK_STREAM, 0, fd)
            accepted.setblocking(False)
            return accepted, peer_of(address)

    def close(self) -> None:
        """Stop listening: from now on the kernel refuses whoever connects."""
        self.socket.close()


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
    )[0]
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        # A kernel without IPv6 still serves those who asked for "every address".
        if error.errno == errno.EAFNOSUPPORT and host == "::":
            return _bind("0.0.0.0", port)
        raise
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # A server that was killed leaves connections in TIME-WAIT; its successor must not wait.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener
