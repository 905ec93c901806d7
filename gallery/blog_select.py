"""The echo server of a hundred blog posts on `select`, with the faults that come along with it.

Each piece is decoded as if TCP kept characters whole; a client that leaves is taken off the list
that `select` watches, but stays in the other one and is never closed; `sendall` waits for whoever
reads slowly; and a client's number is its place in the list, so that numbers shift when one leaves.
The kernel shows CLOSE-WAIT sockets by the dozen, and a process that waits in `sendto`.
"""

from __future__ import annotations

import select
import socket

from _common import listen

listener = listen()
connections: dict[object, socket.socket] = {}  # by address, "to be able to find them later"
watched = [listener]
drafts: dict[int, str] = {}  # unfinished lines, by the client's number

while True:
    readable, _, _ = select.select(watched, [], [])
    for sock in readable:
        if sock is listener:
            newcomer, peer = listener.accept()
            connections[peer] = newcomer
            watched.append(newcomer)
            continue
        number = watched.index(sock)
        try:
            piece = sock.recv(1024)
            *lines, drafts[number] = (drafts.pop(number, "") + piece.decode()).split("\n")
            for line in lines:
                sock.sendall(f"{line}\n".encode())
        except ConnectionError:
            piece = b""
        if not piece:
            watched.remove(sock)
