"""The ops that act on the subject's processes: `signal`, `freeze` and `thaw`, `limit`.

Each answers when its effect has been seen in `/proc`, not when the kernel took the request. New
children may appear at any time, so freezing goes round until a whole round finds nobody who moves:
what is stopped cannot fork.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from iolab.client import fields
from iolab.client.fields import Fields, Kind
from iolab.harness.beside.loop import Loop
from iolab.harness.beside.ops import Handler, Reply, Request, RequestError, Results
from iolab.harness.beside.probe import limit, processes
from iolab.harness.beside.probe.processes import STOPPED, Stat
from iolab.harness.beside.probe.subject import SubjectProcesses

ROUND_S = 0.001
WITHIN_S = 5.0
_NAMES = {name.name.removeprefix("SIG"): name for name in signal.Signals}


def _signal(value: object) -> signal.Signals:
    name = value.removeprefix("SIG") if isinstance(value, str) else ""
    if name not in _NAMES:
        raise ValueError
    return _NAMES[name]


SIGNAL = Kind("the name of a signal, as SIGTERM", _signal)


class Control:
    """Signals, stops and limits the subject, never the probe or its helpers."""

    def __init__(self, loop: Loop, subject: SubjectProcesses) -> None:
        self._loop = loop
        self._subject = subject

    def ops(self) -> dict[str, Handler]:
        """The ops by name."""
        return {
            "signal": self._signal,
            "freeze": self._freeze,
            "thaw": self._thaw,
            "limit": self._limit,
        }

    def _living(self) -> list[Stat]:
        return [one for one in self._subject.look() if one.state not in processes.DEAD]

    def _signal(self, request: Request) -> Results:
        reader = Fields(request)
        number = reader.take("signal", SIGNAL)
        who = reader.take("who", fields.one_of("main", "all"), "main")
        reader.end()
        living = self._living()
        if who == "main":
            main = self._subject.main({one.pid: one for one in living})
            if main is None:
                raise RequestError("the subject has no main process running", field="who")
            living = [main]
        return {"pids": [one.pid for one in living if _send(one.pid, number)]}

    def _freeze(self, request: Request) -> Reply:
        def moves(pid: int) -> bool:
            return not processes.stands(pid)

        return self._until_none(request, moves, signal.SIGSTOP, "not stopped")

    def _thaw(self, request: Request) -> Reply:
        def stands(pid: int) -> bool:
            return bool(set(processes.states(pid)) & set(STOPPED)) or processes.stands(pid)

        return self._until_none(request, stands, signal.SIGCONT, "not running")

    def _until_none(
        self, request: Request, resists: Callable[[int], bool], number: signal.Signals, words: str
    ) -> Reply:
        """Signal those that resist, in rounds, until there are none."""
        reader = Fields(request)
        within_s = reader.take("within_s", fields.SECONDS, WITHIN_S)
        reader.end()
        reply = Reply()
        give_up = time.monotonic() + within_s

        def go_round() -> None:
            living = [one.pid for one in self._living()]
            resisting = [pid for pid in living if _there(resists, pid)]
            if not living:
                reply.fail(RequestError("the subject has no process running"))
            elif not resisting:
                reply({"pids": living})
            elif time.monotonic() > give_up:
                seen = ", ".join(f"{pid} ({_states(pid)})" for pid in resisting)
                words_ = f"waited {within_s:.3f} s; {words}: {seen}"
                reply.fail(RequestError(words_, timeout=True, last=seen))
            else:
                for pid in resisting:
                    _send(pid, number)
                self._loop.call_later(ROUND_S, go_round)

        go_round()
        return reply

    def _limit(self, request: Request) -> Results:
        reader = Fields(request)
        soft = reader.take("nofile", fields.COUNT)
        chosen = reader.take("pids", fields.COUNTS, None)
        reader.end()
        before: dict[int, int] = {}
        refused: dict[int, PermissionError] = {}
        # A process that forks while it is limited hands the old limit to its child: look again.
        while missed := [
            one.pid
            for one in self._living()
            if one.pid not in before | refused and (chosen is None or one.pid in chosen)
        ]:
            for pid in missed:
                try:
                    before[pid] = limit.lower(pid, soft)
                except processes.GONE:
                    continue
                except PermissionError as error:
                    refused[pid] = error
        if refused:
            raise self._refusal(soft, before, refused)
        if not before:
            raise RequestError("no such process of the subject is running")
        return {"before": before}

    @staticmethod
    def _refusal(
        soft: int, before: dict[int, int], refused: dict[int, PermissionError]
    ) -> RequestError:
        pids = sorted(refused)
        user = limit.owner(pids[0])
        run = [sys.executable, "-m", "iolab.harness.beside.probe.limit", str(soft), *map(str, pids)]
        return RequestError(
            f"the limit of {pids} may not be changed from here ({refused[pids[0]].strerror}); run "
            f"`{' '.join(run)}` as {user[0]}:{user[1]} in the probe's node",
            before=before | {pid: limit.current(pid)[0] for pid in pids},
            run=run,
            user=user,
        )


def _send(pid: int, number: signal.Signals) -> bool:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        raise RequestError(f"process {pid} may not be signalled by the probe") from None
    return True


def _there(test: Callable[[int], bool], pid: int) -> bool:
    try:
        return test(pid)
    except processes.GONE:
        return False


def _states(pid: int) -> str:
    try:
        return processes.states(pid)
    except processes.GONE:
        return "ended"
