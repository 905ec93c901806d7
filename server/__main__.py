"""`python -m server`: read the flags, open the listener, and let the model serve.

Exit status: 0 after an orderly stop, 1 if the address cannot be had, 2 if the flags cannot be met.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace

from . import models
from .events import Log
from .listener import Listener
from .settings import parse
from .stop import StopRequest


def main(arguments: Sequence[str] | None = None, program: str = "server") -> int:
    """Run one server until it is told to stop; returns the exit status.

    Without `arguments`, those of this process. `program` is what complaints begin with.
    """
    settings = parse(sys.argv[1:] if arguments is None else arguments, program)
    if settings.model == "auto":
        settings = replace(settings, model=models.best())
    model = models.load(settings.model)
    why_not = model.unavailable()
    if why_not is not None:
        why = f"argument --model: {settings.model} cannot run here: {why_not}"
        return _fail(program, 2, why)
    try:
        listener = Listener(settings)
    except socket.gaierror:
        why = f"argument --host: {settings.host!r} is not an IPv4 or IPv6 address"
        return _fail(program, 2, why)
    except OSError as error:
        where = f"{settings.host} port {settings.port}"
        return _fail(program, 1, f"cannot listen on {where}: {os.strerror(error.errno or 0)}")
    log = Log(settings.log)
    stop = StopRequest()  # before anybody is told that we listen, and may send a signal
    try:
        log.event(
            "listening",
            model=settings.model,
            host=listener.host,
            port=listener.port,
            pid=os.getpid(),
            detect_vanished_s=settings.detect_vanished_s,
        )
        model.serve(settings, listener, log, stop)
        log.event("stopped")
    finally:
        log.close()
    return 0


def _fail(program: str, status: int, message: str) -> int:
    sys.stderr.write(f"{program}: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
