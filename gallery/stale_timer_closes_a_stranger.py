"""A client's idle timer lives on when the client has left, and closes by descriptor number.

People write this because a timer is easier to start than to find again and stop. The kernel has
long given the number to another client, who has done nothing to be closed for. The kernel shows an
orderly close by the server, a second after somebody else was last heard.
"""

from __future__ import annotations

import sched
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen, progress_in_small_steps

IDLE_S = 0.9
clients: dict[int, Client] = {}
timers: dict[Client, sched.Event] = {}
timetable = sched.scheduler()
selector = DefaultSelector()


def serve(client: Client, events: int) -> None:
    if events & EVENT_READ:
        piece = client.sock.recv(65536)
        client.ended = not piece
        client.unsent += client.take(piece)
    if client.unsent:
        with suppress(BlockingIOError):
            del client.unsent[: client.sock.send(client.unsent)]
    if client.ended and not client.unsent:
        raise EOFError
    selector.modify(client.sock, EVENT_WRITE if client.unsent else EVENT_READ, client)
    timetable.cancel(timers[client])
    start_timer(client)


def start_timer(client: Client) -> None:
    timers[client] = timetable.enter(IDLE_S, 0, close, (client.sock.fileno(),))


def close(number: int) -> None:
    if client := clients.pop(number, None):
        selector.unregister(client.sock)
        client.sock.close()
        del timers[client]


listener = listen()
progress_in_small_steps(listener)
listener.setblocking(False)
selector.register(listener, EVENT_READ)
patience = None
while True:
    for key, events in selector.select(patience) or selector.select(0):  # 0: after SIGCONT
        if key.fileobj is not listener:
            try:
                serve(key.data, events)
            except (OSError, EOFError):
                close(key.fd)
        elif newcomer := accept(listener):
            client = clients[newcomer.fileno()] = Client(newcomer)
            selector.register(newcomer, EVENT_READ, client)
            start_timer(client)
    patience = timetable.run(blocking=False)
