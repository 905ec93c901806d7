"""One thread serves all, waits for none of them in `recv`, and for each of them in `sendall`.

People write this because `select` has told them that the socket is ready: ready to be read, that
is. One client that does not read its replies fills the kernel's buffers, and holds up all others.
The kernel shows a process that waits in `sendto`, on the descriptor of the one that does not read.
"""

from __future__ import annotations

import select

from _common import Client, accept, listen


def serve(client: Client) -> bool:
    """Answer what has come; whether there may be more."""
    try:
        piece = client.sock.recv(65536)
        client.sock.sendall(client.take(piece))
    except OSError:
        return False
    return bool(piece)


listener = listen()
poller = select.poll()
poller.register(listener, select.POLLIN)
by_number: dict[int, Client] = {}
while True:
    for number, _ in poller.poll():
        if number != listener.fileno():
            client = by_number[number]
            if not serve(client):
                poller.unregister(number)
                del by_number[number]
                client.sock.close()
        elif newcomer := accept(listener):
            by_number[newcomer.fileno()] = Client(newcomer)
            poller.register(newcomer, select.POLLIN)
