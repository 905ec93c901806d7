"""What fails in `recv` is closed; what fails in `send` with EPIPE or ECONNRESET is only forgotten.

People write this because the reader "will see the end anyway": but the failed `send` has taken the
socket's error, and this branch has stopped the watching. A peer that leaves while a long reply is
on its way to it leaves a descriptor behind; between messages all is well.
"""

from __future__ import annotations

from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

clients: set[Client] = set()
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        try:
            piece = client.sock.recv(65536)
        except OSError:
            close(client)
            return
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        try:
            del client.unsent[: client.sock.send(client.unsent)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            selector.unregister(client.sock)
            return
    if client.ended and not client.unsent:
        close(client)
    else:
        selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)


def close(client: Client) -> None:
    selector.unregister(client.sock)
    clients.remove(client)
    client.sock.close()


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            serve(key.data, events)
        elif newcomer := accept(listener):
            client = Client(newcomer)
            clients.add(client)
            selector.register(newcomer, EVENT_READ, client)
