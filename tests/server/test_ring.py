"""The ring's memory that is shared with the kernel, which may look at any moment."""

from __future__ import annotations

import os
import time

import pytest

from iolab.server import ring
from iolab.server.models import uring

LOOKS_FOR_S = 2.0
FIRST = 0x5500


@pytest.mark.skipif(uring.unavailable() is not None, reason=str(uring.unavailable()))
def test_whoever_looks_at_the_pool_never_sees_a_tail_that_was_not_written() -> None:
    one = ring.Ring()
    pool = one._pool
    shared = memoryview(pool._queue).cast("H")
    written = range(FIRST + 1, FIRST + 1001)

    def give() -> None:
        pool._tail = FIRST
        for number in range(len(written)):
            pool._give(number)

    give()
    looker = os.fork()
    if looker == 0:
        until = time.monotonic() + LOOKS_FOR_S
        odd = 0
        while time.monotonic() < until:
            odd += shared[ring._TAIL_AT] not in written
        os._exit(odd > 0)
    done = 0
    while not done:
        give()
        done, status = os.waitpid(looker, os.WNOHANG)
    one.close()
    assert os.waitstatus_to_exitcode(status) == 0
