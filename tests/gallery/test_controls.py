"""The controls keep what they promise, also under what would tempt a harness to blame them."""

from __future__ import annotations

import os
import resource
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from iolab.harness.subject.manifest import load
from tests.gallery.servers import (
    CONTROLS,
    Server,
    ask,
    read_exactly,
    read_line,
    read_to_end,
    reset,
    running,
    start,
    stop,
)
from tests.waiting import is_empty, wait_until, wait_until_calm, wait_until_silent

# What a promised time may be exceeded by, as in the harness.
LEEWAY_S = 1.0

LONG = bytes(range(11, 256)) * 20_000 + b"\n"  # 4.9 MB


def _having(promise: str) -> list[Path]:
    return [
        script
        for script in CONTROLS
        if getattr(load(script.with_suffix(".toml")).promises, promise) is not None
    ]


def promise(script: Path, name: str) -> float:
    """What its manifest promises, in seconds."""
    return float(getattr(load(script.with_suffix(".toml")).promises, name))


def _name(path: Path) -> str:
    return path.stem


def _settled(server: Server) -> bool:
    return server.rows("ESTABLISHED") == server.rows("CLOSE-WAIT") == 0


def _serves_many(script: Path) -> bool:
    return load(script.with_suffix(".toml")).promises.max_connections != 1


everyone = pytest.mark.parametrize("script", CONTROLS, ids=_name)


@everyone
def test_answers_everything_before_the_end(script: Path) -> None:
    lines = [bytes([n % 256]) * n for n in range(0, 70_000, 997)]
    sent = b"".join(line.replace(b"\n", b"\r") + b"\n" for line in lines) + b"unfinished"
    with running(script) as server, server.connect() as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        reply = read_to_end(client)
        sender.join()
        assert reply == sent.removesuffix(b"unfinished")
        wait_until("the connection is closed", lambda: _settled(server))


@everyone
def test_lets_go_of_every_kind_of_end(script: Path) -> None:
    with running(script) as server:
        with server.connect() as client:
            ask(client, b"first\n")
        wait_until("the first client is gone", lambda: _settled(server))
        before = {pid: server.sockets(pid) for pid in server.processes()}
        for _ in range(5):
            server.connect().close()
            reset(server.connect())
            for end in (reset, socket.socket.close):
                client = server.connect(receive_buffer=4096)
                client.sendall(b"half")
                end(client)
                client = server.connect(receive_buffer=4096)
                client.sendall(b"x" * 500_000 + b"\nnothing of it is read")
                end(client)
        wait_until("the connections are gone", lambda: _settled(server))
        wait_until(
            "descriptors are back where they were",
            lambda: {pid: server.sockets(pid) for pid in server.processes()},
            holds=lambda seen: seen == before,
        )
        with server.connect() as client:
            assert ask(client, b"still there?\n") == b"still there?\n"


@everyone
def test_slow_reader_gets_all_and_holds_up_nobody(script: Path) -> None:
    # Longer together than what the kernel keeps; each shorter than what asyncio's streams take.
    lines = (LONG[:200_000] + b"\n") * 18
    with running(script) as server, server.connect(32768) as slow:
        sender = threading.Thread(target=slow.sendall, args=(lines,))
        sender.start()
        got = bytearray()
        for _ in range(30):
            wait_until("the slow one is behind", server.unsent)
            got += slow.recv(10_000)
            if _serves_many(script):
                with server.connect() as other:
                    assert ask(other, b"hello\n") == b"hello\n"
                # A small buffer is empty for a moment; of who does not read it fills again, unless
                # the slow one had all when the other was answered.
                wait_until("the slow one is still behind", server.unsent)
        got += read_exactly(slow, len(lines) - len(got))
        sender.join()
        assert got == lines
        assert ask(slow, b"and more\n") == b"and more\n"


@everyone
def test_frozen_server_answers_afterwards(script: Path) -> None:
    with running(script) as server, server.connect() as client:
        ask(client, b"hello\n")
        pids = server.processes()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        client.sendall(b"are you there?\n")
        wait_until_silent(client, 2.2)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        assert read_line(client) == b"are you there?\n"


@everyone
def test_lack_of_descriptors_passes(script: Path) -> None:
    with running(script) as server, server.connect() as client:
        ask(client, b"hello\n")
        limits = {}
        for pid in server.processes():
            limits[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (4, limits[pid][1]))
        with server.connect() as newcomer:
            newcomer.sendall(b"hello?\n")
            wait_until_calm("it rests, though somebody waits", server.cpu_s, within_s=5)
            if _serves_many(script):
                assert ask(client, b"still there?\n") == b"still there?\n"
            for pid, limit in limits.items():
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
            client.close()
            assert read_line(newcomer) == b"hello?\n"


@everyone
def test_does_nothing_when_there_is_nothing_to_do(script: Path) -> None:
    with running(script) as server:
        clients = [server.connect() for _ in range(50)]
        wait_until_calm("it does nothing", server.cpu_s, share=0.05)
        for client in clients:
            client.close()


@everyone
def test_urgent_data_does_no_harm(script: Path) -> None:
    with running(script) as server, server.connect() as client:
        client.sendall(b"one")
        client.send(b"!", socket.MSG_OOB)
        assert ask(client, b"two\n") == b"onetwo\n"


@everyone
def test_can_be_started_again_after_a_crash(script: Path) -> None:
    with running(script) as first, first.connect() as client:
        ask(client, b"hello\n")
        first.process.kill()
        first.process.wait()
        # Children that die with it take a moment, in which the listener is theirs.
        wait_until("nobody listens any more", lambda: first.rows("LISTEN") == 0)
        second = start(load(script.with_suffix(".toml")), first.host, first.port)
        try:
            with second.connect() as other:
                assert ask(other, b"hello\n") == b"hello\n"
        finally:
            stop(second)


@pytest.mark.parametrize("script", _having("idle_timeout_s"), ids=_name)
def test_removes_the_idle_in_time(script: Path) -> None:
    with running(script) as server, server.connect() as client:
        ask(client, b"hello\n")
        begin = time.monotonic()
        assert read_to_end(client) == b""
        promised = promise(script, "idle_timeout_s")
        assert promised - 0.5 < time.monotonic() - begin < promised + LEEWAY_S
        wait_until("its descriptor is closed", server.sockets, holds=lambda count: count <= 1 + 3)


@pytest.mark.parametrize("script", _having("idle_timeout_s"), ids=_name)
def test_removes_who_takes_nothing(script: Path) -> None:
    with running(script) as server, server.connect(4096) as client:
        client.settimeout(0.5)
        with suppress(TimeoutError):
            client.sendall(LONG * 4)
        within_s = promise(script, "idle_timeout_s") + LEEWAY_S
        wait_until(
            "the stuck connection is gone",
            lambda: server.rows("ESTABLISHED"),
            holds=is_empty,
            within_s=within_s,
        )


@pytest.mark.parametrize("script", _having("idle_timeout_s"), ids=_name)
def test_patient_speaker_stays(script: Path) -> None:
    with running(script) as server, server.connect() as client:
        for _ in range(4):
            wait_until_silent(client, promise(script, "idle_timeout_s") / 2)
            assert ask(client, b"hello\n") == b"hello\n"


@pytest.mark.parametrize("script", _having("max_message"), ids=_name)
def test_refuses_what_is_too_long_and_loses_nothing(script: Path) -> None:
    largest = b"x" * 2**20
    with running(script) as server, server.connect() as client:
        ask(client, b"hello\n")
        sockets = server.sockets()
        before = b"".join(b"%099d\n" % n for n in range(1000))
        sender = threading.Thread(
            target=lambda: _send(client, before + largest + b"\n" + largest + b"y\nand more\n" * 9)
        )
        sender.start()
        reply = bytearray()
        with suppress(ConnectionResetError):
            while piece := client.recv(65536):
                reply += piece
        sender.join()
        assert reply == before + largest + b"\n"
        wait_until(
            "its descriptor is closed", server.sockets, holds=lambda seen: seen == sockets - 1
        )


@pytest.mark.parametrize("script", _having("graceful_stop_s"), ids=_name)
class TestSigterm:
    def test_finishes_replies_in_flight(self, script: Path) -> None:
        with running(script) as server, server.connect(32768) as client, server.connect() as idle:
            ask(idle, b"hello\n")
            line = LONG[:900_000].replace(b"\n", b"") + b"\n"
            client.sendall(line)
            got = read_exactly(client, 10)
            server.process.terminate()
            wait_until("the listener is closed", lambda: server.rows("LISTEN") == 0)
            got += read_to_end(client)
            assert got == line
            assert read_to_end(idle) == b""
            assert server.ended(promise(script, "graceful_stop_s") + LEEWAY_S) == 0

    def test_does_not_wait_for_a_stuck_peer(self, script: Path) -> None:
        with running(script) as server, server.connect(4096) as client:
            client.settimeout(0.5)
            with suppress(TimeoutError):
                client.sendall(LONG * 4)
            server.process.terminate()
            assert server.ended(promise(script, "graceful_stop_s") + LEEWAY_S) == 0


def _send(client: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        client.sendall(data)
