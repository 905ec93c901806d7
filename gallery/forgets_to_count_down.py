"""There may be so many clients and no more, and one who leaves by a reset is counted for ever.

People write this when counting down stands at the end of the function, and an exception goes past
it. After enough of them the server refuses everybody, with nobody connected. The kernel shows new
connections that the server closes at once, and not one that is established.
"""

from __future__ import annotations

import threading
from contextlib import suppress

from _common import Client, accept, listen

MOST = 50  # of which 45 are promised
connected = 0
counting = threading.Lock()


def count(change: int) -> None:
    global connected
    with counting:
        connected += change


def serve(client: Client) -> None:
    with client.sock as sock, suppress(OSError):
        while piece := sock.recv(65536):
            sock.sendall(client.take(piece))
        count(-1)


listener = listen()
while True:
    newcomer = accept(listener)
    if newcomer and connected >= MOST:
        newcomer.close()
    elif newcomer:
        count(+1)
        threading.Thread(target=serve, args=(Client(newcomer),), daemon=True).start()
