"""What the command line refuses, in one line and with which status, and what it promises."""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from iolab.server import models
from iolab.server.__main__ import main
from iolab.server.settings import parse
from tests.ipv6 import needs_ipv6
from tests.server.running import ROOT, Server

needs_uring = pytest.mark.skipif(
    models.load("uring").unavailable() is not None, reason="uring cannot run here"
)

PR_CAPBSET_DROP, CAP_IPC_LOCK = 24, 14


def run(
    *flags: str, before_exec: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "server", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10,
        preexec_fn=before_exec,
    )


def locking_at_most(kib: int) -> Callable[[], None]:
    """For a process to be: it may lock so much memory, and is nobody whom no limit binds."""

    def before_exec() -> None:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK)
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (kib * 1024, kib * 1024))

    return before_exec


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--port", "65536"], "--port: '65536' is not allowed: a whole number, 0 to 65535"),
        (["--port", "x"], "--port: 'x' is not allowed"),
        (["--idle-timeout", "-1"], "--idle-timeout: '-1' is not allowed"),
        (["--idle-timeout", "nan"], "--idle-timeout: 'nan' is not allowed"),
        (["--keepalive", "0.5"], "--keepalive: '0.5' is not allowed: a whole number of seconds"),
        (["--max-message", "0"], "--max-message: '0' is not allowed"),
        (["--model", "magic"], "--model: invalid choice: 'magic'"),
        (["--reply", "shout"], "--reply: invalid choice: 'shout'"),
        (["--host", "no.such.host"], "--host: 'no.such.host' is not an IPv4 or IPv6 address"),
        (["--unheard"], "unrecognized arguments: --unheard"),
    ],
)
def test_bad_flags_cost_one_line_and_status_2(flags: list[str], complaint: str) -> None:
    ended = run(*flags)
    assert ended.returncode == 2
    assert complaint in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_address_in_use_costs_one_line_and_status_1(start: Callable[..., Server]) -> None:
    first = start()
    second = run("--port", str(first.port))
    assert second.returncode == 1
    assert second.stderr == (
        f"server: cannot listen on :: port {first.port}: Address already in use\n"
    )
    assert first.connect().ask(b"unharmed") == b"unharmed"


@needs_ipv6
def test_an_ipv4_address_serves_ipv4_alone(start: Callable[..., Server]) -> None:
    server = start("--host", "127.0.0.1")
    assert server.connect("127.0.0.1").ask(b"hello") == b"hello"
    with pytest.raises(ConnectionRefusedError):
        server.connect("::1")


def test_auto_says_which_model_it_took(start: Callable[..., Server]) -> None:
    assert start("--model", "auto").event("listening")["model"] == models.best()


@pytest.mark.parametrize("best", models.BEST_FIRST)
def test_auto_takes_the_best_that_the_kernel_offers(
    best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = models.BEST_FIRST[models.BEST_FIRST.index(best) :]
    for name in models.BEST_FIRST:
        why_not = None if name in offered else "not here"
        monkeypatch.setattr(models.load(name), "unavailable", lambda why_not=why_not: why_not)
    assert models.best() == best


def test_a_model_that_cannot_run_here_says_why_and_ends_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(models.load("uring"), "unavailable", lambda: "the kernel is too old")
    monkeypatch.setattr(sys, "argv", ["server", "--model", "uring"])
    assert main() == 2
    said = capsys.readouterr().err
    assert said == "server: argument --model: uring cannot run here: the kernel is too old\n"


@needs_uring
def test_uring_says_that_it_may_not_lock_enough_memory() -> None:
    ended = run("--model", "uring", before_exec=locking_at_most(64))
    assert ended.returncode == 2
    assert ended.stderr == (
        "server: argument --model: uring cannot run here: io_uring's queues need more memory than"
        " RLIMIT_MEMLOCK allows, 64 KiB\n"
    )


@needs_uring
def test_uring_runs_where_its_queues_fit_once(start: Callable[..., Server]) -> None:
    server = start("--model", "uring", before_exec=locking_at_most(512))
    assert server.connect().ask(b"hello") == b"hello"


@pytest.mark.parametrize(
    ("keepalive", "user_timeout", "interval", "detect_s"),
    [
        (1, 2.2, 1, 3.0),  # probes at 1 s and 2 s, given up at 3 s
        (30, 60, 10, 60.0),
        (60, 30, 1, 61.0),  # no room between them: one probe, and a second to answer
        (1, 0.5, 1, 2.0),
        (0, 60, 20, None),
        (60, 0, 20, None),
    ],
)
def test_detection_time_is_derived(
    keepalive: int, user_timeout: float, interval: int, detect_s: float | None
) -> None:
    settings = parse(["--keepalive", str(keepalive), "--user-timeout", str(user_timeout)])
    assert settings.keepalive_interval == interval
    assert settings.detect_vanished_s == detect_s
