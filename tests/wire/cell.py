"""Two network namespaces, a veth pair between them, and a wire on one side.

    pod: 10.99.0.1, fd99::1, the subject and the wire ──veth── outside: 10.99.0.2, fd99::2, clients

A test that is decorated by `in_cell` runs in a process of its own, which makes the namespaces for
itself and leaves nothing behind: nothing is done in the namespaces of whoever runs the tests. The
wire's loop turns in a thread; sockets are made in the main thread, on the side that is asked for,
and stay there.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import functools
import importlib
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iolab.harness.beside.loop import READ, Loop
from iolab.harness.beside.ops import Reply, RequestError
from iolab.harness.beside.wire import Wire

ADDRESSES = {4: ("10.99.0.1", "10.99.0.2"), 6: ("fd99::1", "fd99::2")}
PORT = 9000
GENEROUS_S = 20.0

_NEWNS, _NEWUSER, _NEWNET = 0x00020000, 0x10000000, 0x40000000
_SET_DUMPABLE = 4
_NOBODY = 65534
_SKIPPED = 77
_ROOT = Path(__file__).parents[2]
_WAYS = [("root", 4), ("rootless", 6)]
_libc = ctypes.CDLL(None, use_errno=True)

Body = Callable[["Cell"], None]


class CannotRun(Exception):
    """This machine does not allow the cell: the reason for the skip."""


class Cell:
    """What a test's body is given: the wire's ops, its faults, and sockets on both sides."""

    def __init__(self, way: str, ip: int) -> None:
        _make_namespaces(way)
        self.way = way
        self.ip = ip
        self.server_address, self.client_address = ADDRESSES[ip]
        self._pod = os.open("/proc/self/ns/net", os.O_RDONLY)
        _unshare(_NEWNET)
        self._outside = os.open("/proc/self/ns/net", os.O_RDONLY)
        _make_link(f"/proc/{os.getpid()}/fd/{self._pod}")
        _enter(self._pod)
        _set_up("wire0", 0)
        _enter(self._outside)
        _set_up("wire1", 1)
        _enter(self._pod)
        self.events: list[dict[str, Any]] = []
        self.wire = Wire(self.events.append)
        self._loop = Loop()
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._bell = os.eventfd(0)
        self._loop.register(self._bell, READ, self._serve)
        self._handlers = self.wire.ops()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.call(lambda answer: answer.set_result(None))  # the wire is registered

    @property
    def faults(self) -> list[str]:
        """The reasons of all `wire-fault` events so far."""
        return [event["reason"] for event in self.events if event["event"] == "wire-fault"]

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """The op's results. Raises RequestError or Invalid."""

        def handle(answer: concurrent.futures.Future[dict[str, Any]]) -> None:
            result = self._handlers[op](fields)
            if not isinstance(result, Reply):
                answer.set_result(result)
                return

            def deliver(outcome: dict[str, Any] | RequestError) -> None:
                if isinstance(outcome, RequestError):
                    answer.set_exception(outcome)
                else:
                    answer.set_result(outcome)

            result.deliver_to(deliver)

        results: dict[str, Any] = self.call(handle)
        return results

    def call(self, what: Callable[[concurrent.futures.Future[Any]], None]) -> Any:
        """Run `what` in the loop's thread and wait for the answer it is to give."""
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def run() -> None:
            try:
                what(answer)
            except Exception as error:
                answer.set_exception(error)

        self.later(run)
        return answer.result(GENEROUS_S)

    def later(self, what: Callable[[], None]) -> None:
        """Run `what` in the loop's thread, some time soon."""
        self._requests.put(what)
        os.eventfd_write(self._bell, 1)

    def rule(self, **fields: Any) -> int:
        """Add a rule on the server's port, of the client's address, and answer its number."""
        peer = fields.pop("peer", [self.client_address, 0])
        number = self.ask("rule-add", rule={"port": PORT, "peer": peer, **fields})["rule"]
        assert isinstance(number, int)
        return number

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Sockets made and programs started in this block are on the clients' side."""
        _enter(self._outside)
        try:
            yield
        finally:
            _enter(self._pod)

    def listen(self) -> socket.socket:
        """A server's socket in the pod."""
        listener = socket.socket(_FAMILIES[self.ip], socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.settimeout(GENEROUS_S)
        listener.bind((self.server_address, PORT))
        listener.listen()
        return listener

    def connect(self) -> socket.socket:
        """A client's connection from outside."""
        with self.outside():
            client = socket.socket(_FAMILIES[self.ip], socket.SOCK_STREAM)
        client.settimeout(GENEROUS_S)
        client.connect((self.server_address, PORT))
        return client

    def pair(self) -> tuple[socket.socket, socket.socket]:
        """A connection: the client's end and the server's."""
        with self.listen() as listener:
            client = self.connect()
            server, _ = listener.accept()
        server.settimeout(GENEROUS_S)
        return client, server

    def saved_tables(self, backend: str = "") -> list[str]:
        """The pod's rules in the table `mangle`, of both families."""
        saved = []
        unlocked = os.environ | {"XTABLES_LOCKFILE": "/dev/null"}  # the usual one may be root's
        for program in (f"iptables{backend}-save", f"ip6tables{backend}-save"):
            ended = subprocess.run(
                [program, "-t", "mangle"],
                env=unlocked,
                capture_output=True,
                text=True,
                check=True,
            )
            saved += [line for line in ended.stdout.splitlines() if line.startswith("-A")]
        return saved

    def close(self) -> None:
        """Close the wire and stop its loop; once is enough."""
        self.later(self._loop.stop)
        self._thread.join(GENEROUS_S)

    def _run(self) -> None:
        self.wire.register(self._loop)
        self._loop.run()
        self.wire.close()
        self._loop.close()

    def _serve(self, _: int) -> None:
        os.eventfd_read(self._bell)
        with contextlib.suppress(queue.Empty):
            while True:
                self._requests.get_nowait()()


_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def in_cell(body: Body) -> Callable[[str, int], None]:
    """Make a test of a function that takes a cell: as root over IPv4 and rootless over IPv6."""

    @pytest.mark.parametrize(("way", "ip"), _WAYS, ids=[f"{way}-ipv{ip}" for way, ip in _WAYS])
    @functools.wraps(body)
    def test(way: str, ip: int) -> None:
        ended = subprocess.run(
            [sys.executable, "-m", "tests.wire.cell", body.__module__, body.__name__, way, str(ip)],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=4 * GENEROUS_S,
        )
        if ended.returncode == _SKIPPED:
            pytest.skip(ended.stderr.strip())
        if ended.returncode:
            pytest.fail(ended.stdout + ended.stderr, pytrace=False)

    del test.__wrapped__  # or pytest asks for the body's arguments
    test.body = body  # type: ignore[attr-defined]
    return test


def main(module: str, name: str, way: str, ip: str) -> int:
    """Run the body of one test in a cell. Exit status: 0, 1, or 77 for what cannot run here."""
    body: Body = getattr(importlib.import_module(module), name).body
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where an ordinary user does not look
    try:
        cell = Cell(way, int(ip))
    except CannotRun as reason:
        print(reason, file=sys.stderr)
        return _SKIPPED
    try:
        body(cell)
    except Exception:
        traceback.print_exc()
        print("events:", *cell.events, sep="\n  ", file=sys.stderr)
        return 1
    finally:
        cell.close()
    return 0


def _make_namespaces(way: str) -> None:
    if shutil.which("ip") is None or shutil.which("iptables") is None:
        raise CannotRun("needs the programs ip and iptables (packages iproute2, iptables)")
    uid, gid = os.getuid(), os.getgid()
    if way == "root":
        if uid:
            raise CannotRun("not root")
        _unshare(_NEWNET | _NEWNS)
        return
    if uid == 0:
        uid = gid = _become_nobody()
    _unshare(_NEWUSER | _NEWNET | _NEWNS)
    Path("/proc/self/setgroups").write_bytes(b"deny")
    Path("/proc/self/uid_map").write_bytes(b"0 %d 1" % uid)
    Path("/proc/self/gid_map").write_bytes(b"0 %d 1" % gid)


def _become_nobody() -> int:
    """Root's own user namespace may do more than an ordinary user's: read root's files of /proc."""
    os.setgroups([])
    os.setresgid(_NOBODY, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    _libc.prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # or /proc/self, and so the uid map, stays root's
    return _NOBODY


def _make_link(other: str) -> None:
    _ip("link", "add", "wire1", "type", "veth", "peer", "name", "wire0", "netns", other)
    _ip("link", "set", "wire1", "up")


def _set_up(device: str, mine: int) -> None:
    _ip("link", "set", "lo", "up")
    _ip("link", "set", device, "up")
    _ip("address", "add", f"{ADDRESSES[4][mine]}/24", "dev", device)
    _ip("address", "add", f"{ADDRESSES[6][mine]}/64", "dev", device, "nodad")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _unshare(flags: int) -> None:
    if _libc.unshare(flags):
        raise CannotRun(f"unshare({flags:#x}): {os.strerror(ctypes.get_errno())}")


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
