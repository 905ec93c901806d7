"""A full buffer is put aside but for its last byte, which a C programmer keeps for the NUL.

People write this when they carry code over from another language, or count to `size - 1` by habit.
It takes a `recv` that fills the buffer to the brim: a long message, and a server that was busy for
a moment. The kernel sees nothing wrong; the reply lacks one byte, and is right the next time.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from socket import socket

from _common import accept, listen

SIZE = 16384


def serve(sock: socket) -> None:
    aside, buffer, used = bytearray(), bytearray(SIZE), 0
    view = memoryview(buffer)
    with sock, suppress(OSError):
        while count := sock.recv_into(view[used:]):
            used += count
            end = buffer.rfind(b"\n", used - count, used) + 1
            if end:
                sock.sendall(aside + buffer[:end])
                aside.clear()
                buffer[: used - end] = buffer[end:used]
                used -= end
            if used >= SIZE - 1:
                aside += buffer[: SIZE - 1]
                used = 0


listener = listen()
while True:
    if newcomer := accept(listener):
        threading.Thread(target=serve, args=(newcomer,), daemon=True).start()
