"""`select` says that a client is readable, and `readline` reads its line.

People write this because the file that `makefile` returns has the method that the protocol wants.
It waits until the line is whole, and everybody waits with it; and lines that it read ahead are in
its buffer, where `select` does not look. The kernel shows an empty receive queue, or a server in
`recvfrom`.
"""

from __future__ import annotations

import select
from io import BufferedReader
from socket import socket

from _common import accept, listen

MOST = 900
files: dict[socket, BufferedReader] = {}

listener = listen()
while True:
    for sock in select.select([listener, *files], [], [])[0]:
        if sock is listener:
            newcomer = accept(listener)
            if newcomer and len(files) < MOST:
                files[newcomer] = newcomer.makefile("rb")
            elif newcomer:
                newcomer.close()
            continue
        try:
            line = files[sock].readline()
            if not line.endswith(b"\n"):
                raise EOFError
            sock.sendall(line)
        except (OSError, EOFError):
            files.pop(sock).close()
            sock.close()
