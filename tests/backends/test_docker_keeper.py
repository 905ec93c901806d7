"""Programs that run as forks of a container's keeper: each is as new, and ends as any other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from signal import SIGKILL

import pytest

from iolab.harness.backends.base import LabNodes
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.docker.inside import source
from iolab.harness.backends.docker.keeper import END
from tests.waiting import PATIENCE_S

AGENT = ("python3", "-m", "iolab.client", "agent")
on_docker = pytest.mark.parametrize("backend", ["docker"], indirect=True, scope="module")


def agent(lab: LabNodes, name: str = "node") -> Channel:
    channel = Channel(name, lab.client(name).spawn(AGENT))
    channel.ready()
    return channel


@on_docker
def test_one_agent_after_the_other_is_as_new(lab: LabNodes) -> None:
    first = agent(lab)
    script = {"title": "waits", "step": [{"do": "wait", "go": "ever"}]}
    target = [lab.pod.addresses[4], lab.pod.port]
    first.request("play", group="waiting", script=script, target=target)
    first.close()
    assert first.process.wait(0) == 0

    second = agent(lab)
    assert second.request("report")["connections"] == []
    second.close()


@on_docker
def test_two_at_a_time(lab: LabNodes) -> None:
    both = [agent(lab), agent(lab)]
    assert [one.request("report")["connections"] for one in both] == [[], []]
    for one in both:
        one.close()


@on_docker
def test_a_killed_agent_is_seen_to_be_and_the_next_one_answers(lab: LabNodes) -> None:
    killed = agent(lab)
    killed.process.signal("SIGKILL")
    assert killed.process.wait(5.0) == -SIGKILL
    with pytest.raises(ProcessLookupError, match="has ended"):
        killed.process.signal("SIGCONT")

    following = agent(lab)
    assert following.request("report")["connections"] == []
    following.close()


@on_docker
def test_a_lab_is_closed_beside_an_agent_that_is_stopped(lab: LabNodes) -> None:
    stopped = agent(lab)
    stopped.process.signal("SIGSTOP")
    stopped.send("report")
    lab.close()
    assert stopped.process.wait(0) == -SIGKILL


@pytest.fixture
def keeper() -> Iterator[subprocess.Popen[bytes]]:
    """The program itself, with no container around it."""
    keeper = subprocess.Popen(
        [sys.executable, "-c", source("keeper"), "json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    with keeper:
        yield keeper


def converse(
    keeper: subprocess.Popen[bytes], code: str, given: bytes = b"", arguments: Sequence[str] = ()
) -> tuple[bytes, bytes, int]:
    """Run the code: what it printed to both streams, and its status."""
    assert keeper.stdin
    assert keeper.stdout
    assert keeper.stderr
    request = {"code": code, "arguments": list(arguments), "env": {"WORD": "späte Grüße"}}
    keeper.stdin.write(json.dumps(request).encode() + b"\n" + given + END)
    said = []
    for stream in (keeper.stdout, keeper.stderr):
        heard = b""
        while not (END in heard and heard.endswith(b"\n")):
            piece = stream.read(1 << 16)
            assert piece, heard
            heard += piece
        said.append(heard.split(END))
    (out, status), (err, status_again) = said
    assert status == status_again
    return out, err, int(status)


def test_input_arguments_and_environment_reach_the_program(
    keeper: subprocess.Popen[bytes],
) -> None:
    code = "import os, sys; print(sys.argv[1], os.environ['WORD'], sys.stdin.read())"
    said = converse(keeper, code, b"one\ntwo\n", ["first"])
    assert said == ("first späte Grüße one\ntwo\n\n".encode(), b"", 0)


def test_the_status_and_both_streams_are_its_own(keeper: subprocess.Popen[bytes]) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    assert converse(keeper, code) == (b"out\n", b"err\n", 7)
    out, err, status = converse(keeper, "raise ValueError('by mistake')")
    assert (out, status) == (b"", 1)
    assert b"ValueError: by mistake" in err
    assert converse(keeper, "import os; os.kill(os.getpid(), 9)") == (b"", b"", -SIGKILL)


def test_input_that_nobody_takes_is_not_the_next_ones(keeper: subprocess.Popen[bytes]) -> None:
    plenty = b"x" * (1 << 20)
    assert converse(keeper, "import os; os._exit(0)", plenty) == (b"", b"", 0)
    assert converse(keeper, "print(len(__import__('sys').stdin.read()))", b"next") == (
        b"4\n",
        b"",
        0,
    )


def test_it_ends_with_its_input(keeper: subprocess.Popen[bytes]) -> None:
    assert keeper.stdin
    keeper.stdin.close()
    assert keeper.wait(PATIENCE_S) == 0
