"""An io_uring: operations are submitted, and the kernel reports when they are complete.

Two queues are shared with the kernel. Submitting writes an entry into one, completion reads an
entry from the other, and one system call, io_uring_enter, tells the kernel to look at the first and
waits for the second. Bytes are received into buffers that the kernel picks from a pool when they
come, so that a silent connection has none.

The PyPI package `liburing` maps the queues. Two of its habits shape this file: it raises where a
completion says that its operation failed, and it keeps Python's lock while it waits, so the log's
thread would stand still; the sleeping is done by a system call of our own.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import time
from importlib import import_module
from typing import Any

ENTRIES = 4096
BUFFERS = 1024
"""So many pieces may come while this thread does something else. The next one stays in its socket,
and its receive ends and has to be asked for again: with 256, the messages of 1 000 busy clients
cost 1.4 times as much CPU."""
BUFFER_SIZE = 2**12
_POOL = 1

_TAKEN_DOWN_S = 1.0
"""The queues count against RLIMIT_MEMLOCK until the kernel has taken their ring down, which is a
while after it was closed. So where the limit has room for one, a second has to wait for that."""

# One number each on all architectures that Python runs on.
_SYS_IO_URING_ENTER = 426
_SYS_IO_URING_REGISTER = 427
_REGISTER_PBUF_RING = 22
_ENTER_GETEVENTS = 1
_ENTER_EXT_ARG = 8

_libc = ctypes.CDLL(None, use_errno=True)

Completion = tuple[int, int, int]
"""Tag of the operation, its result or a negative error number, and its IORING_CQE_F flags."""


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_longlong), ("nanoseconds", ctypes.c_longlong))


class _GetEventsArgument(ctypes.Structure):
    """struct io_uring_getevents_arg of <linux/io_uring.h>."""

    _fields_ = (
        ("sigmask", ctypes.c_uint64),
        ("sigmask_size", ctypes.c_uint32),
        ("min_wait_usec", ctypes.c_uint32),
        ("timeout", ctypes.c_uint64),
    )


# struct io_uring_buf: address, length, number. The last two bytes of the first one are the tail.
_BUFFER = struct.Struct("=QIH")
_BUFFER_STRIDE = 16
_TAIL_AT = 14 // 2


class _BufferRegistration(ctypes.Structure):
    """struct io_uring_buf_reg of <linux/io_uring.h>."""

    _fields_ = (
        ("ring", ctypes.c_uint64),
        ("entries", ctypes.c_uint32),
        ("group", ctypes.c_uint16),
        ("flags", ctypes.c_uint16),
        ("reserved", ctypes.c_uint64 * 3),
    )


class _Pool:
    """Buffers that the kernel takes from a third queue, in memory that is shared with it.

    A buffer is given back by two writes into that memory, without an operation of its own. The
    kernel looks at them in the context of this thread, in its calls or when it is interrupted, so
    what was written first is seen first. The package can register no such queue: its function wants
    a pointer that Python cannot give.
    """

    def __init__(self, ring_fd: int) -> None:
        self._memory = mmap.mmap(-1, BUFFERS * BUFFER_SIZE)
        self._queue = mmap.mmap(-1, BUFFERS * _BUFFER_STRIDE)
        self._address = _address(self._memory)
        # The kernel may look between any two instructions, so the tail is written by one; struct
        # writes zeros first.
        self._shared = memoryview(self._queue).cast("H")
        self._tail = 0
        registration = _BufferRegistration(_address(self._queue), BUFFERS, _POOL)
        _call(
            _SYS_IO_URING_REGISTER,
            ctypes.c_uint(ring_fd),
            ctypes.c_uint(_REGISTER_PBUF_RING),
            ctypes.byref(registration),
            ctypes.c_uint(1),
        )
        for number in range(BUFFERS):
            self._give(number)

    def take(self, number: int, count: int) -> bytes:
        """The first `count` bytes of a buffer, which goes back to the kernel."""
        start = number * BUFFER_SIZE
        data = self._memory[start : start + count]
        self._give(number)
        return data

    def _give(self, number: int) -> None:
        queue, tail = self._queue, self._tail
        address = self._address + number * BUFFER_SIZE
        _BUFFER.pack_into(queue, tail % BUFFERS * _BUFFER_STRIDE, address, BUFFER_SIZE, number)
        self._shared[_TAIL_AT] = self._tail = (tail + 1) & 0xFFFF


def _address(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def _call(number: int, *arguments: Any) -> None:
    if _libc.syscall(ctypes.c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Ring:
    """One ring for one thread. `tag` names an operation in its completions: 0 to 2**63.

    Raises `ImportError` where liburing is missing, and `OSError` where the kernel refuses a ring.
    """

    def __init__(self) -> None:
        self._lib: Any = import_module("liburing")
        lib = self._lib
        self._ring = lib.Ring()
        self._init()
        self._entry = lib.Cqe()
        self._get_sqe = lib.io_uring_get_sqe
        self._prep_send = lib.io_uring_prep_send
        self._skip_success = lib.IOSQE_CQE_SKIP_SUCCESS
        self.MORE: int = lib.IORING_CQE_F_MORE
        """Completion flag: the operation goes on and will complete again."""
        self._pool = _Pool(self._ring.ring_fd)

    def _init(self) -> None:
        lib = self._lib
        # When bytes have come, the copy waits until this thread enters the kernel for whatever
        # reason, an interrupt included: see models/uring.py.
        flags = lib.IORING_SETUP_SINGLE_ISSUER | lib.IORING_SETUP_COOP_TASKRUN
        deadline = time.monotonic() + _TAKEN_DOWN_S
        while True:
            try:
                lib.io_uring_queue_init(ENTRIES, self._ring, flags | lib.IORING_SETUP_SUBMIT_ALL)
                return
            except OSError as error:
                if error.errno != errno.ENOMEM or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def close(self) -> None:
        """Give the ring back; whatever is still going on is cancelled."""
        self._lib.io_uring_queue_exit(self._ring)

    def completed(self, tag: int) -> bool:
        """Whether an operation of that tag has completed and `wait` has not told yet."""
        entry = self._entry
        return any(entry[0].user_data == tag for _ in self._lib.CqeIter(self._ring, entry))

    def submit(self) -> None:
        """Tell the kernel of what was asked for since the last wait, if there is anything."""
        self._lib.io_uring_submit(self._ring)

    def _submission(self) -> Any:
        entry = self._get_sqe(self._ring)
        if entry is None:  # the queue is full: let the kernel take it
            self.submit()
            entry = self._get_sqe(self._ring)
        return entry

    def accept(self, fd: int, tag: int) -> None:
        """Accept one connection on `fd`; completes with its descriptor.

        The kernel notes RLIMIT_NOFILE when the operation is submitted, so one that went on and on
        would never learn that the limit has changed.
        """
        entry = self._submission()
        self._lib.io_uring_prep_accept(entry, fd)
        entry.user_data = tag

    def poll(self, fd: int, tag: int) -> None:
        """Complete once `fd` is readable."""
        entry = self._submission()
        self._lib.io_uring_prep_poll_add(entry, fd, 1)
        entry.user_data = tag

    def receive(self, fd: int, tag: int) -> None:
        """Receive from `fd` again and again until the end: a completion for each piece."""
        entry = self._submission()
        self._lib.io_uring_prep_recv_multishot(entry, fd)
        entry.flags = self._lib.IOSQE_BUFFER_SELECT
        self._lib.io_uring_sqe_set_buf_group(entry, _POOL)
        entry.user_data = tag

    def received(self, count: int, flags: int) -> bytes:
        """The bytes of a completed receive; its buffer goes back to the pool."""
        return self._pool.take(flags >> 16, count)  # IORING_CQE_BUFFER_SHIFT

    def send(self, fd: int, data: bytes, tag: int) -> None:
        """Send; completes with how much was sent. `data` is to be kept until then."""
        entry = self._submission()
        self._prep_send(entry, fd, data)
        entry.user_data = tag

    def cancel(self, tag: int) -> None:
        """Cancel the operation of that tag, which then completes with ECANCELED if it can."""
        entry = self._submission()
        self._lib.io_uring_prep_cancel64(entry, tag)
        entry.flags = self._skip_success
        entry.user_data = 0

    def wait(self, timeout: float | None) -> list[Completion]:
        """Submit, wait up to `timeout` seconds or for ever, and give what has completed."""
        lib, ring = self._lib, self._ring
        try:
            self.submit()
        except OSError as error:
            # Interrupted, or more has completed than the queue holds: reap first.
            if error.errno not in (errno.EINTR, errno.EBUSY, errno.EAGAIN):
                raise
        if timeout != 0 and not lib.io_uring_cq_ready(ring):
            self._sleep(timeout)
        completions: list[Completion] = []
        entry = self._entry
        for _ in lib.CqeIter(ring, entry):
            cqe = entry[0]
            try:
                result = cqe.res
            except OSError as error:
                result = -(error.errno or errno.EIO)
            completions.append((cqe.user_data, result, cqe.flags))
        lib.io_uring_cq_advance(ring, len(completions))
        return completions

    def _sleep(self, timeout: float | None) -> None:
        argument = _GetEventsArgument()
        if timeout is not None:
            limit = _TimeSpec(int(timeout), int(timeout % 1 * 1e9))
            argument.timeout = ctypes.addressof(limit)
        _libc.syscall(
            ctypes.c_long(_SYS_IO_URING_ENTER),
            ctypes.c_uint(self._ring.ring_fd),
            ctypes.c_uint(0),
            ctypes.c_uint(1),
            ctypes.c_uint(_ENTER_GETEVENTS | _ENTER_EXT_ARG),
            ctypes.byref(argument),
            ctypes.c_size_t(ctypes.sizeof(argument)),
        )  # timed out, interrupted, or complete: the queue knows
