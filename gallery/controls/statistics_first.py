"""Correct: its page of statistics is open half a second before it serves.

Most servers that are watched have such a second listener, and load what they need before the first.
One thread waits for everybody; each piece that comes is answered as far as lines in it are whole.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector

from _listener import listen

LOADS_S = 0.5
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nserving %d\n"


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.partial = bytearray()
        self.unsent = bytearray()
        self.ended = False

    def turn(self, events: int) -> int:
        """What was ready is done; which events to wait for next, 0 at the end."""
        if events & EVENT_READ:
            piece = self.sock.recv(65536)
            self.ended = not piece
            ends, newline, rest = piece.rpartition(b"\n")
            if newline:
                self.unsent += self.partial + ends + newline
                self.partial.clear()
            self.partial += rest
        with suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
        if self.unsent:
            return EVENT_WRITE
        return 0 if self.ended else EVENT_READ


clients: set[Client] = set()


def statistics(page: socket.socket) -> None:
    while True:
        try:
            with page.accept()[0] as sock:
                sock.settimeout(1)
                sock.sendall(ANSWER % len(clients))
        except OSError:
            time.sleep(0.05)


def let_in(listener: socket.socket, selector: DefaultSelector) -> None:
    try:
        sock, _ = listener.accept()
    except BlockingIOError:
        return
    except OSError:
        time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
        return
    sock.setblocking(False)
    client = Client(sock)
    clients.add(client)
    selector.register(sock, EVENT_READ, client)


def main() -> None:
    page = socket.create_server(("127.0.0.1", 0))
    print(f"statistics: http://127.0.0.1:{page.getsockname()[1]}/", flush=True)
    threading.Thread(target=statistics, args=(page,), daemon=True).start()
    time.sleep(LOADS_S)
    listener = listen()
    listener.setblocking(False)
    selector = DefaultSelector()
    selector.register(listener, EVENT_READ)
    while True:
        for key, events in selector.select():
            if key.fileobj is listener:
                let_in(listener, selector)
                continue
            client: Client = key.data
            try:
                wanted = client.turn(events)
            except OSError:
                wanted = 0
            if wanted:
                selector.modify(client.sock, wanted, client)
            else:
                selector.unregister(client.sock)
                clients.discard(client)
                client.sock.close()


main()
