"""`make lab`: a lab from its start to its summary."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Sequence

from rich.console import Console

from iolab.harness.backends import choose
from iolab.harness.backends.base import Backend
from iolab.harness.backends.channel import ChannelError
from iolab.harness.backends.identity import VARIABLE, current_id
from iolab.harness.live import capture, options
from iolab.harness.live.editor import Editor
from iolab.harness.live.options import Options
from iolab.harness.live.plain import Plain
from iolab.harness.live.rendezvous import Rendezvous
from iolab.harness.live.session import LabFailed, Session
from iolab.harness.live.state import State
from iolab.harness.live.stop import Stoppable, Stopped
from iolab.harness.live.summary import summary
from iolab.harness.live.terminal import CTRL_C, Terminal, opened
from iolab.harness.live.view import view
from iolab.harness.progress import Progress

TICK_S = 0.1
FRAME_EVERY_S = 0.25


def main(arguments: Sequence[str]) -> int:
    """Run the lab; exit status 0, also by Ctrl-C; 1 if it failed, 128 + N by signal N."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    chosen = options.read(arguments, terminal=terminal)
    console = Console(highlight=False)
    run_id = os.environ[VARIABLE] = current_id()
    backend: Backend | None = None
    with Stoppable() as stoppable:
        try:
            backend, why = choose.prepared(chosen.backend, run_id)
            console.print(why, markup=False, soft_wrap=True)
            _run(chosen, backend, console, terminal)
        except LabFailed as failed:
            print(f"iolab: {failed}", file=sys.stderr)
            return failed.status
        except ChannelError as error:
            print(f"iolab: {error}", file=sys.stderr)
            return 1
        except Stopped as stopped:
            with contextlib.suppress(OSError):  # a terminal that hung up takes no words
                print(f"iolab: ended by {stopped}", file=sys.stderr, flush=True)
            return 128 + stopped.number
        finally:
            stoppable.ignore()
            if backend is not None:
                backend.close()
    return 0


def _run(chosen: Options, backend: Backend, console: Console, terminal: bool) -> None:
    """Start the lab, show it until it ends, and print the summary. Raises LabFailed, Stopped."""
    state = _state(chosen, backend.name)
    session = Session(backend, chosen.definition, chosen.subject, state)
    with Progress() as progress:
        progress.doing("starting server and probe")
        remarks = session.start()
    for remark in remarks:
        console.print(remark, markup=False, soft_wrap=True)
    state.began = state.now = time.monotonic()
    state.until = None if chosen.duration_s is None else state.began + chosen.duration_s
    with Rendezvous(session):
        if terminal and chosen.capture is None:
            with opened(console, sys.stdin.fileno()) as screen:
                _watch(session, screen)
        else:
            _tell(session, console)
    if chosen.capture is not None:
        state.until = None  # a picture tells how long it ran, not that its time is over
        capture.write(state, chosen.capture)
    with Progress() as progress:
        progress.doing("ending the lab, and removing everything")
        ending = session.finish()
        backend.close()
    console.print(summary(state, ending))


def _state(chosen: Options, backend: str) -> State:
    server = chosen.definition.server
    now = time.monotonic()
    state = State(
        model=chosen.subject.name,
        title=chosen.subject.title,
        essay=chosen.essay,
        backend=backend,
        reply=server.reply,
        began=now,
        until=None,
    )
    for client in chosen.definition.clients:
        state.add_client(client.name, chosen.whats[client.name], client.count)
    return state


def _watch(session: Session, screen: Terminal) -> None:
    """The live view, until the time is over or Ctrl-C."""
    state = session.state
    editor = Editor() if state.reply == "operator" else None
    frame_at = 0.0
    while not _is_over(state):
        keys = screen.keys(TICK_S)
        if keys is None:
            raise Stopped(signal.SIGHUP)
        if CTRL_C in keys:
            return
        if editor is not None:
            _type(session, editor, keys)
            state.typed, state.cursor = editor.text, editor.cursor
        now = time.monotonic()
        session.step(now)
        if keys or now >= frame_at:
            frame_at = now + FRAME_EVERY_S
            screen.show(view(state, *screen.size))


def _tell(session: Session, console: Console) -> None:
    """Plain lines, until the time is over; an operator may type as well, line by line."""
    state = session.state
    plain = Plain(state)
    editor = Editor()
    # Only an operator is listened to; others may have a standard input that never ends.
    ears = [sys.stdin.fileno()] if state.reply == "operator" else []
    for line in plain.opening():
        console.print(line, markup=False, soft_wrap=True)
    while not _is_over(state):
        if select.select(ears, [], [], TICK_S)[0]:
            data = os.read(ears[0], 1 << 16)
            _type(session, editor, data)
            ears = ears if data else []
        session.step(time.monotonic())
        for line in plain.news():
            console.print(line, markup=False, soft_wrap=True)


def _type(session: Session, editor: Editor, keys: bytes) -> None:
    for line in editor.type(keys):
        if line.strip():
            session.type(line)


def _is_over(state: State) -> bool:
    return state.until is not None and state.now >= state.until
