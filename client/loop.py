"""The event loop: sockets by epoll, alarms, and a watch on its own lateness.

Every descriptor is registered once, edge-triggered, for reading and writing, and never again:
with thousands of connections the calls that would switch interest on and off cost more than the
events do. The price is a duty: whoever is told that a socket is ready reads or writes until the
kernel has no more, or remembers that it did not. A call may come for a descriptor that has since
been closed and opened anew within one batch, so handlers ask the socket and trust no mask.
"""

import gc
import heapq
import select
import time
from collections import deque
from collections.abc import Callable

NEVER = float("inf")
EDGES = (
    select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET
)  # EPOLLERR and EPOLLHUP come unasked

_BATCH = 4096
_HEARTBEAT_S = 0.05

Handler = Callable[[int], None]


class Alarm:
    """Calls back once its deadline (seconds of time.monotonic) has passed.

    Moving the deadline away, or back to NEVER, costs no more than an assignment: the heap learns
    of it when the old one comes up.
    """

    __slots__ = ("_call", "_filed", "_loop", "deadline")

    def __init__(self, loop: "Loop", call: Callable[[], object]) -> None:
        self._loop = loop
        self._call = call
        self._filed = NEVER
        self.deadline = NEVER

    def set(self, deadline: float) -> None:
        """Ring at `deadline` and at no other time."""
        self.deadline = deadline
        if deadline < self._filed:
            self._filed = deadline
            self._loop.file(deadline, self)

    def cancel(self) -> None:
        """Ring no more, and hold nobody alive who would have been called."""
        self.deadline = self._filed = NEVER
        self._call = _nothing

    def ring(self, filed: float, now: float) -> None:
        """The heap's entry of time `filed` has come up."""
        if filed != self._filed:
            return
        self._filed = NEVER
        if self.deadline <= now:
            self.deadline = NEVER
            self._call()
        elif self.deadline < NEVER:
            self.set(self.deadline)


def _nothing() -> None:
    pass


class Loop:
    """One thread that waits for everything.

    `late_s` is the worst lateness since it was last set to 0: how long something that was ready
    waited for the loop, or an alarm rang after its time. `on_late` hears of each lateness above
    `tolerated_s`. A heartbeat makes sure that a starved process notices even when nothing happens.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._heap: list[tuple[float, int, Alarm]] = []
        self._filings = 0
        self._soon: deque[Callable[[], object]] = deque()
        self._running = False
        self._heartbeat = Alarm(self, self._beat)
        self.late_s = 0.0
        self.tolerated_s = 0.05
        self.on_late: Callable[[float], None] | None = None

    def register(self, fd: int, handler: Handler) -> None:
        """Call `handler(mask)` on each edge. Raises PermissionError for files, which never wait."""
        self._epoll.register(fd, EDGES)
        self._handlers[fd] = handler

    def switch(self, fd: int, handler: Handler) -> None:
        """Call another handler for `fd` from now on."""
        self._handlers[fd] = handler

    def forget(self, fd: int) -> None:
        """Call no more for `fd`, which is about to be closed."""
        self._handlers.pop(fd, None)

    def file(self, deadline: float, alarm: Alarm) -> None:
        """Enter an alarm in the heap; for Alarm alone."""
        self._filings += 1
        heapq.heappush(self._heap, (deadline, self._filings, alarm))

    def soon(self, call: Callable[[], object]) -> None:
        """Call after the events that are ready now."""
        self._soon.append(call)

    def stop(self) -> None:
        """Let `run` return after the current round."""
        self._running = False

    def run(self) -> None:
        """Wait and dispatch until `stop`.

        Meanwhile the collector of cycles is off: a full pass over 19 000 connections takes longer
        than any server, and what ends here breaks its cycles itself.
        """
        self._running = True
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._beat()
            while self._running:
                self._turn()
        finally:
            if collecting:
                gc.enable()

    def close(self) -> None:
        """Give the epoll descriptor back."""
        self._epoll.close()

    def _turn(self) -> None:
        events = self._epoll.poll(self._timeout(), _BATCH)
        start = time.monotonic()
        handlers = self._handlers
        for fd, mask in events:
            handler = handlers.get(fd)
            if handler is not None:
                handler(mask)
        late = self._ring(time.monotonic())
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        self._note(max(late, time.monotonic() - start))

    def _timeout(self) -> float:
        if self._soon:
            return 0.0
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else -1.0

    def _ring(self, now: float) -> float:
        late = 0.0
        while self._heap and self._heap[0][0] <= now:
            filed, _, alarm = heapq.heappop(self._heap)
            late = max(late, now - filed)
            alarm.ring(filed, now)
        return late

    def _beat(self) -> None:
        self._heartbeat.set(time.monotonic() + _HEARTBEAT_S)

    def _note(self, late: float) -> None:
        if late > self.late_s:
            self.late_s = late
        if late > self.tolerated_s and self.on_late is not None:
            self.on_late(late)
