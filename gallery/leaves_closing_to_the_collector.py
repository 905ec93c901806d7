"""Nothing is ever closed: the socket goes when nobody refers to it any more.

People write this because in Python it works: the last reference goes, and the socket is closed. But
here a client and its handler refer to each other, and only the garbage collector finds that out, in
its own time. The kernel shows CLOSE-WAIT sockets, which are gone after the next hundred clients.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _common import Client, accept, listen

selector = DefaultSelector()


class Conversation(Client):
    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.handler: Callable[[int], None] = self.serve

    def serve(self, events: int) -> None:
        if events & EVENT_READ:
            piece = self.sock.recv(65536)
            self.ended = not piece
            self.unsent += self.take(piece)
        if self.unsent:
            with suppress(BlockingIOError):
                del self.unsent[: self.sock.send(self.unsent)]
        if self.ended and not self.unsent:
            raise EOFError
        wanted = EVENT_WRITE if self.unsent else EVENT_READ
        selector.modify(self.sock, wanted, self.handler)


listener = listen()
listener.setblocking(False)
selector.register(listener, EVENT_READ)
while True:
    for key, events in selector.select():
        if key.fileobj is not listener:
            try:
                key.data(events)
            except (OSError, EOFError):
                selector.unregister(key.fileobj)
        elif newcomer := accept(listener):
            selector.register(newcomer, EVENT_READ, Conversation(newcomer).handler)
