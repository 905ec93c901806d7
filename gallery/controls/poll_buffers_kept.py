"""Correct: one loop on `poll`, with an idle timeout, and receive buffers kept for the next client.

Memory that a crowd has taken is not given back when it leaves: a second crowd finds it again. Idle
is who says nothing and takes nothing; what the peer's kernel takes is seen in the send queue. The
clock is looked at after the events, so that nobody is removed with a request waiting to be read.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
import time
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, PollSelector

from _listener import listen

IDLE_S, LOOK_S = 1.8, 0.2
NEVER = float("inf")
spare: list[bytearray] = []
selector = PollSelector()


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = spare.pop() if spare else bytearray(4096)
        self.partial = bytearray()
        self.unsent = bytearray()
        self.ended = False
        self.active = time.monotonic()
        self.queued = 0

    def serve(self, events: int) -> None:
        if events & EVENT_READ:
            self.active = time.monotonic()
            count = self.sock.recv_into(self.buffer)
            self.ended = not count
            end = self.buffer.rfind(b"\n", 0, count) + 1
            if end:
                self.unsent += self.partial
                self.unsent += self.buffer[:end]
                self.partial.clear()
            self.partial += self.buffer[end:count]
        if self.unsent:
            with suppress(BlockingIOError):
                del self.unsent[: self.sock.send(self.unsent)]
        if self.ended and not self.unsent:
            raise EOFError
        selector.modify(self.sock, EVENT_WRITE if self.unsent else EVENT_READ, self)

    def due(self, now: float) -> float:
        """When to look at it again if nothing happens; now or earlier if it has to go."""
        unacked = struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]
        queued = len(self.unsent) + unacked
        if queued != self.queued:
            self.queued, self.active = queued, now
        end = self.active + IDLE_S
        return min(end, now + LOOK_S) if queued else end

    def close(self) -> None:
        selector.unregister(self.sock)
        self.sock.close()
        spare.append(self.buffer)


def accept(listener: socket.socket) -> None:
    try:
        sock, _ = listener.accept()
    except BlockingIOError:
        return
    except OSError:
        time.sleep(0.05)  # no descriptor is free; the newcomer waits in the queue
        return
    sock.setblocking(False)
    selector.register(sock, EVENT_READ, Client(sock))


def main() -> None:
    listener = listen()
    listener.setblocking(False)
    selector.register(listener, EVENT_READ)
    look_at = NEVER
    while True:
        patience = None if look_at == NEVER else max(0, look_at - time.monotonic())
        selector.select(patience)
        # The clock before the look that counts: a process may be stopped anywhere in between, and
        # what arrived meanwhile is to be seen before its sender's time is found to be up.
        now = time.monotonic()
        for key, events in selector.select(0):
            if key.fileobj is listener:
                accept(listener)
            else:
                try:
                    key.data.serve(events)
                except (OSError, EOFError):
                    key.data.close()
            look_at = min(look_at, time.monotonic() + LOOK_S)
        if look_at <= now:
            look_at = NEVER
            for client in [key.data for key in selector.get_map().values() if key.data]:
                due = client.due(now)
                if due <= now:
                    client.close()
                else:
                    look_at = min(look_at, due)


main()
