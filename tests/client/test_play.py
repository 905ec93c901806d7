"""`python -m client play`, its scripts, and what it tells."""

from __future__ import annotations

import gc
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iolab.client.group import Group
from iolab.client.loop import Loop
from iolab.client.player import Player, Setting
from iolab.client.script import load, names
from tests.client import servers
from tests.client.playing import DEADLINE_S, ROOT, after
from tests.client.servers import Address, echoing_thousands, serving

HOLDERS = {"silent", "mumbler", "never-reader"}
"""Those who hold their connection until they are dropped, or the server ends it."""


@pytest.fixture(scope="module")
def echo() -> Iterator[Address]:
    with serving(servers.echo) as target:
        yield target


def client(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "client", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def test_the_library_is_told_in_words() -> None:
    assert {"steady", "chatty", "slow-sender", "slow-reader", "silent", "abrupt"} <= set(names())
    for name in names():
        script = load(name)
        assert script.title.startswith("The ")
        assert script.what.endswith(".")


def test_every_personality_gets_on_with_a_right_server(echo: Address) -> None:
    loop = Loop()
    groups = [Group(name, Setting(loop, load(name), echo), 2, None) for name in names()]
    ended: list[str] = []

    def end(group: Group, error: str | None) -> None:
        if error is not None and group.name not in HOLDERS:
            pytest.fail(error)
        group.drop()
        ended.append(group.name)
        if len(ended) == len(groups):
            loop.stop()

    def finish(group: Group) -> None:
        group.finish()
        within_s = 0.0 if group.name in HOLDERS else DEADLINE_S
        group.watch("ended", None, within_s, group.name, lambda outcome: end(group, outcome.error))

    for group in groups:
        group.start(lambda group=group: after(loop, 0.5, lambda: finish(group)))  # type: ignore[misc]
    loop.run()
    loop.close()
    for group in groups:
        for report in group.report():
            right = ("ok", "dropped") if group.name in HOLDERS else ("ok",)
            assert report["outcome"] in right, (group.name, report["failure"])
            assert report["replies"] or group.name in HOLDERS


def test_a_summary_and_status_0(echo: Address) -> None:
    done = client("play", "steady", *echo, "--count", 3, "--for", 0.2)
    assert (done.returncode, done.stderr) == (0, "")
    *told, title, messages, latency = done.stdout.splitlines()
    assert len(told) == 6
    assert "steady#0 connected from 127.0.0.1 port" in told[0]
    assert told[-1].endswith("ended well: 1 reply")
    assert title == f"The steady one: 3 ok (127.0.0.1 port {echo[1]})"
    assert messages.startswith("  3 messages sent, 3 replies right (39 bytes out, 39 bytes in) in")
    assert "median" in latency


def test_a_failed_expectation_is_status_1(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('step = [{ do = "connect" }, { do = "ask", text = "0123456789" }]')
    with serving(servers.drops_a_byte) as target:
        done = client("play", path, *target)
    assert done.returncode == 1
    assert "mine#0 at step 2 (asking 11 bytes): the reply differs at byte 5" in done.stdout
    assert "1 × mismatch" in done.stdout


def test_bad_input_is_one_line_and_status_2(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('step = [{ do = "connect" }, { do = "idle", for = 1 }]')
    done = client("play", path, "127.0.0.1", 9)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "bad.toml: step 2 (idle): `for` is no field of it; allowed: mark, doing, for_s\n"
    )
    assert client("play", "nobody", "127.0.0.1", 9).returncode == 2
    assert client().returncode == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("127.0.0.1", 0), "PORT: must be a port, from 1 to 65535, not '0'"),
        (("127.0.0.1", "http"), "PORT: must be a port, from 1 to 65535, not 'http'"),
        (("127.0.0.1", 9, "--count", 0), "--count: must be a whole number above 0, not '0'"),
        (("127.0.0.1", 9, "--count", "many"), "must be a whole number above 0, not 'many'"),
        (
            ("127.0.0.1", 9, "--for", "ever"),
            "--for: must be a number of seconds above 0, not 'ever'",
        ),
        (
            ("127.0.0.1", 9, "--bind", "here"),
            "--bind: must be an IPv4 or IPv6 address, not 'here'",
        ),
    ],
)
def test_a_bad_argument_is_named_with_what_is_allowed(
    arguments: tuple[str | int, ...], told: str
) -> None:
    done = client("play", "steady", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"{told}\n")


def test_help_reads_well() -> None:
    assert "play SCRIPT HOST PORT" in client("--help").stdout
    assert "slow-reader" in client("play", "--help").stdout
    assert "docs/protocol.md" in client("agent", "--help").stdout


def test_json_lines_tell_what_each_is_doing(echo: Address) -> None:
    done = client("play", "patient", *echo, "--for", 0.7, "--log", "json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["event"] for event in events] == ["connected", "status", "ended"]
    assert {event["client"] for event in events} == {"patient"}
    [seen] = events[1]["connections"]
    assert seen["step"]["doing"] == "waiting patiently"
    assert seen["local"] == events[0]["local"]
    assert seen["latency_s"] > 0
    assert events[2]["outcome"] == "ok"


def test_forever_begins_again_until_told_to_end() -> None:
    with serving(servers.answers_and_ends) as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "client", "play", "churner", *map(str, target), "--forever"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert "churner#0 connected" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(DEADLINE_S) == 0
        process.stdout.close()
    assert "The churner: 1 ok" in rest


def test_again_after_a_failure() -> None:
    with serving(servers.answers_half_and_ends) as target:
        process = subprocess.Popen(
            [sys.executable, "-m", "client", "play", "steady", *map(str, target), "--forever"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        failures = (line for line in process.stdout if "the peer ended" in line)
        assert [next(failures, ""), next(failures, "")].count("") == 0
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.wait(DEADLINE_S) == 1
        process.stdout.close()
    ended = re.search(r"The steady one: (\d+) failed", rest)
    assert ended is not None
    assert int(ended[1]) >= 2


def test_what_has_ended_is_freed_without_the_collector(echo: Address) -> None:
    loop = Loop()
    group = Group("g", Setting(loop, load("churner"), echo), 5, None)
    alive: list[int] = []

    def replace() -> None:
        for name in [player.name for player in group.players]:
            group.again(name)
        alive.append(sum(isinstance(thing, Player) for thing in gc.get_objects()))
        loop.stop()

    def finish() -> None:
        group.finish()
        group.watch("ended", None, DEADLINE_S, "ended", lambda _: loop.soon(replace))

    gc.collect()
    before = sum(isinstance(thing, Player) for thing in gc.get_objects())
    group.start(lambda: after(loop, 0.1, finish))
    loop.run()
    group.drop()
    loop.close()
    assert alive == [before + 5]


def test_many_connections(tmp_path: Path) -> None:
    path = tmp_path / "many.toml"
    path.write_text('step = [{ do = "connect" }, { do = "ask", text = "x", times = 5 }]')
    with echoing_thousands() as target:
        done = client("play", path, *target, "--count", 500)
    assert done.returncode == 0
    assert "many: 500 ok" in done.stdout
    assert "2500 replies right" in done.stdout
