"""The harness's end of a node's init, which starts processes and ends them all (see `init.py`)."""

from __future__ import annotations

import os
import select
from collections.abc import Mapping, Sequence

from iolab.harness.backends.base import BackendError
from iolab.harness.backends.local import messages
from iolab.harness.backends.local.holder import ENDED_WITHIN_S, Holder, HolderRefused
from iolab.harness.backends.local.process import LocalProcess


class NodeInit:
    """An init, and what was started through it."""

    def __init__(
        self,
        holder: Holder,
        op: str,
        fields: Mapping[str, object],
        descriptors: Sequence[int] = (),
    ) -> None:
        """Let the holder fork one; HolderRefused with the step that it failed at."""
        self._processes: list[LocalProcess] = []
        self._control, theirs = messages.pair()
        self._pidfd: int | None = None
        try:
            with theirs:
                (self._pidfd,) = holder.ask(op, [theirs.fileno(), *descriptors], **fields)
            self._await_ready()
        except BaseException:
            end_all([self])
            raise

    def spawn(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> LocalProcess:
        """Start a program in the node; OSError (BrokenPipeError) when the init is gone."""
        process = LocalProcess(self._control, argv, env)
        self._processes.append(process)
        return process

    def let_go(self) -> None:
        """Let it end, and everything that it started."""
        self._control.close()

    def await_end(self) -> None:
        """Wait until it has ended, which it does last; BackendError when it does not."""
        if self._pidfd is not None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if not poll.poll(ENDED_WITHIN_S * 1000):
                raise BackendError(f"a node did not end within {ENDED_WITHIN_S:g} s")
            os.close(self._pidfd)
            self._pidfd = None
        while self._processes:
            self._processes.pop().release()

    def _await_ready(self) -> None:
        ready = messages.receive(self._control)
        if ready is None:
            raise HolderRefused("the init of a node ended at once")
        if "refused" in ready[0]:
            raise HolderRefused(ready[0]["refused"])


def end_all(inits: Sequence[NodeInit]) -> None:
    """End them side by side; returns when all that they started was seen to have ended."""
    for init in inits:
        init.let_go()
    for init in inits:
        init.await_end()
