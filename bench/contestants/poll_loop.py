"""The textbook's poll(2) loop: `poll_loop ADDRESS PORT`.

It asks once a round and sleeps in the call, with every connection in the list.
"""

from __future__ import annotations

import select
import socket
import sys

from bench.contestants.framing import Lines


def serve(address: str, port: int) -> None:
    """Serve for ever."""
    listener = socket.create_server((address, port), backlog=4096)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    clients: dict[int, tuple[socket.socket, Lines]] = {}
    while True:
        for fd, _ in poller.poll():
            if fd == listener.fileno():
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client, Lines()
                poller.register(client, select.POLLIN)
                continue
            client, lines = clients[fd]
            try:
                data = client.recv(65536)
                whole = lines.feed(data)
                if whole:
                    client.sendall(whole)
            except ConnectionError:
                data = b""
            if not data:
                poller.unregister(client)
                clients.pop(fd)[0].close()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
