"""Reading goes on until `recv` returns less than was asked for: then the message is complete.

People write this because it works for files, and for every message but those whose last piece fills
the buffer exactly. Then the server waits for more, and the client for its reply. The kernel shows
empty queues on both sides, and a server in `recvfrom`.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from _common import Client, accept, listen

BUFFER = 1024


def serve(client: Client) -> None:
    with client.sock as sock, suppress(OSError):
        while not client.ended:
            message = bytearray()
            while piece := sock.recv(BUFFER):
                message += client.take(piece)
                if len(piece) < BUFFER or len(message) > 65536:
                    break
            sock.sendall(message)
            client.ended = not piece


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(Client(newcomer),), daemon=True).start()
