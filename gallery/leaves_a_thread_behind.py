"""One thread reads and one writes; when the reader ends, the writer waits for work for ever.

People write this because both are started in the same place, and they test that the socket is gone:
it is. What is missing is the word that tells the writer to end. The kernel shows a thread in a
`futex` for every client that has ever been here.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Queue
from socket import socket

from _common import accept, listen


def answer(sock: socket, replies: Queue[bytes]) -> None:
    while True:
        reply = replies.get()
        with suppress(OSError):
            sock.sendall(reply)
        replies.task_done()


def serve(sock: socket) -> None:
    replies: Queue[bytes] = Queue(maxsize=16)
    threading.Thread(target=answer, args=(sock, replies), daemon=True).start()
    with sock, sock.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            if line.endswith(b"\n"):
                replies.put(line)
        replies.join()


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
