"""One client is served at a time, and one that resets is put aside for the log instead of closed.

People write this because an error is something to look at later. There is no later: each reset
costs a descriptor, and the thousandth is the last. The kernel shows a descriptor whose socket is
in no table any more, and a server that waits for the next client as if nothing had happened.
"""

from __future__ import annotations

from socket import socket

from _common import Client, accept, listen

IDLE_S = 1.8
failed: list[tuple[socket, OSError]] = []


def serve(client: Client) -> None:
    client.sock.settimeout(IDLE_S)
    while piece := client.sock.recv(65536):
        client.sock.sendall(client.take(piece))


listener = listen()
while True:
    if not (newcomer := accept(listener)):
        continue
    try:
        serve(Client(newcomer))
    except TimeoutError:
        newcomer.close()
    except OSError as error:
        failed.append((newcomer, error))
    else:
        newcomer.close()
