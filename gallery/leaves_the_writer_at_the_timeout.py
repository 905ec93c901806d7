"""Each client has a thread that reads and one that writes; a time-out ends only the reader.

People write this because a client that leaves is the common case, and there the reader tells the
writer. The way out for a time-out was added later and closes the socket, which is all that can be
seen of it. The kernel shows one more thread asleep for each client that was idle for too long.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Full, Queue
from socket import socket

from _common import Client, accept, listen

IDLE_S = 1.8
Replies = Queue[bytes | None]


def write(sock: socket, replies: Replies) -> None:
    with suppress(OSError):
        while (lines := replies.get()) is not None:
            sock.sendall(lines)


def serve(sock: socket) -> None:
    client, replies = Client(sock), Replies(4)
    sock.settimeout(IDLE_S)
    writer = threading.Thread(target=write, args=(sock, replies), daemon=True)
    writer.start()
    try:
        while piece := sock.recv(65536):
            replies.put(client.take(piece), timeout=IDLE_S)
    except TimeoutError:
        sock.close()
        return
    except (OSError, Full):
        pass
    while writer.is_alive():
        with suppress(Full):
            replies.put(None, timeout=0.1)
            break
    writer.join()
    sock.close()


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
