"""The ring's memory that is shared with the kernel, which may look at any moment."""

from __future__ import annotations

import os
import time

import pytest

from iolab.server import ring
from iolab.server.models import uring

LOOKS_FOR_S = 2.0


@pytest.mark.skipif(uring.unavailable() is not None, reason=str(uring.unavailable()))
def test_whoever_looks_at_the_pool_never_sees_a_tail_that_was_not_written() -> None:
    one = ring.Ring()
    pool = one._pool
    shared = memoryview(pool._queue).cast("H")
    looker = os.fork()
    if looker == 0:
        last, odd = shared[ring._TAIL_AT], 0
        until = time.monotonic() + LOOKS_FOR_S
        while time.monotonic() < until:
            tail = shared[ring._TAIL_AT]
            # Forward by less than half of the numbers there are, or something is wrong.
            odd += (tail - last) % 2**16 >= 2**15
            last = tail
        os._exit(odd > 0)
    done = 0
    while not done:
        for number in range(1000):
            pool._give(number)
        done, status = os.waitpid(looker, os.WNOHANG)
    one.close()
    assert os.waitstatus_to_exitcode(status) == 0
