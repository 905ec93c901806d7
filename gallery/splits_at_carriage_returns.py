"""Pieces are cut into lines by `splitlines`, which also cuts at a carriage return.

People write this because the name says what they want. For bytes a lone `\\r` ends a line as well,
for text half a dozen other characters do: one message becomes two replies. The kernel sees nothing
wrong.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from _common import Client, accept, listen


def serve(client: Client) -> None:
    with client.sock as sock, suppress(OSError):
        while piece := sock.recv(65536):
            messages = client.take(piece).splitlines()
            sock.sendall(b"".join(message + b"\n" for message in messages))


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(Client(newcomer),), daemon=True).start()
