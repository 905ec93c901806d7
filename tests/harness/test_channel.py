"""The conversation with an agent or probe, against a process that is played by the test."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from iolab.harness.backends import channel as channel_module
from iolab.harness.backends.base import Process, Stream
from iolab.harness.backends.channel import Channel, ChannelError, Refused

Record = dict[str, Any]

# Far more than it takes, so that a busy machine is no failure.
GENEROUS_S = 20.0


class Played(Process):
    """A process whose output is what a test says; it answers by `answer`, if there is one."""

    def __init__(self, answer: Callable[[Record], Record | None] | None = None) -> None:
        self.asked: list[Record] = []
        self.answer = answer
        self.ends_at_end_of_input = True
        self.status: int | None = None
        self._input = b""
        self._said: queue.Queue[tuple[Stream, bytes]] = queue.Queue()
        self._ended = threading.Event()

    def say(self, *records: Record) -> None:
        self.print("".join(json.dumps(record) + "\n" for record in records).encode())

    def print(self, data: bytes, stream: Stream = "stdout") -> None:
        self._said.put((stream, data))

    def end(self, status: int = 0) -> None:
        self.status = status
        self._ended.set()
        self._said.put(("stdout", b""))

    def write(self, data: bytes) -> None:
        if self._ended.is_set():
            raise BrokenPipeError("it has ended")
        self._input += data
        *lines, self._input = self._input.split(b"\n")
        for line in lines:
            request = json.loads(line)
            self.asked.append(request)
            if self.answer and (answer := self.answer(request)):
                self.say({"id": request["id"], "t": 1.0, "ok": True, **answer})

    def close_input(self) -> None:
        if self.ends_at_end_of_input:
            self.end()

    def read(self) -> tuple[Stream, bytes]:
        return self._said.get()

    def wait(self, within_s: float) -> int | None:
        self._ended.wait(within_s)
        return self.status

    def signal(self, signal: str) -> None:
        raise NotImplementedError


@pytest.fixture
def process() -> Iterator[Played]:
    process = Played()
    yield process
    process.end()


@pytest.fixture
def heard() -> list[Record]:
    return []


@pytest.fixture
def channel(process: Played, heard: list[Record]) -> Channel:
    def hear(record: Record, line: bytes) -> None:
        assert json.loads(line) == record
        heard.append(record)

    return Channel("actors", process, hear)


class TestAnswers:
    def test_a_request_is_one_line_and_gets_its_answer(
        self, channel: Channel, process: Played
    ) -> None:
        process.answer = lambda request: {"count": 2}
        assert channel.request("play", group="one", count=2)["count"] == 2
        assert process.asked == [{"id": 1, "op": "play", "group": "one", "count": 2}]

    def test_answers_come_in_any_order(self, channel: Channel, process: Played) -> None:
        first, second = channel.send("a"), channel.send("b")
        process.say({"id": 2, "t": 1.0, "ok": True, "n": "b"}, {"id": 1, "t": 2.0, "ok": True})
        assert channel.result(second, GENEROUS_S)["n"] == "b"
        assert channel.result(first, GENEROUS_S)["id"] == 1

    def test_an_answer_in_pieces_is_put_together(self, channel: Channel, process: Played) -> None:
        future = channel.send("a")
        line = json.dumps({"id": 1, "t": 1.0, "ok": True, "said": "空山"}, ensure_ascii=False)
        for byte in line.encode() + b"\n":
            process.print(bytes([byte]))
        assert channel.result(future, GENEROUS_S)["said"] == "空山"

    def test_a_refusal_says_who_refused_what_and_why(
        self, channel: Channel, process: Played
    ) -> None:
        process.answer = lambda request: {"ok": False, "error": "group: is not known"}
        with pytest.raises(Refused) as refused:
            channel.request("go", group="x")
        assert str(refused.value) == "actors: go: group: is not known"
        assert not refused.value.timed_out

    def test_a_refusal_by_time_carries_the_last_thing_seen(
        self, channel: Channel, process: Played
    ) -> None:
        late = {"ok": False, "error": "3 of 4 came", "timeout": True, "reached": 3}
        process.answer = lambda request: late
        with pytest.raises(Refused) as refused:
            channel.request("await", within_s=1.0)
        assert refused.value.timed_out
        assert refused.value.answer["reached"] == 3

    def test_a_refusal_without_a_reason(self, channel: Channel, process: Played) -> None:
        process.answer = lambda request: {"ok": False}
        with pytest.raises(Refused, match="refused without a reason"):
            channel.request("go")

    def test_who_says_nothing_is_given_up_with_what_it_printed(
        self, channel: Channel, process: Played, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(channel_module, "ANSWER_SLACK_S", 0.05)
        process.print(b"warning: slow", "stderr")
        process.say({"event": "late", "t": 1.0, "late_s": 1.0})
        heard = threading.Event()
        channel.on("last", lambda record: heard.set())
        process.say({"event": "last", "t": 1.0})
        assert heard.wait(GENEROUS_S)
        with pytest.raises(ChannelError) as error:
            channel.request("report")
        assert str(error.value) == (
            "actors: report: no answer within 0.05 s; it printed: warning: slow"
        )


class TestEvents:
    def test_events_and_answers_are_heard_in_their_order(
        self, channel: Channel, process: Played, heard: list[Record]
    ) -> None:
        future = channel.send("go", group="one")
        process.say(
            {"event": "ready", "t": 0.5},
            {"event": "mark", "t": 1.0, "mark": "x"},
            {"id": 1, "t": 2.0, "ok": True},
            {"event": "ended", "t": 3.0},
        )
        channel.result(future, GENEROUS_S)
        channel.close()
        assert [record.get("event", record.get("op")) for record in heard] == [
            *("ready", "mark", "go", "ended")
        ]
        assert heard[2]["request"] == {"id": 1, "op": "go", "group": "one"}

    def test_a_refusal_is_heard_too(
        self, channel: Channel, process: Played, heard: list[Record]
    ) -> None:
        process.answer = lambda request: {"ok": False, "error": "no"}
        with pytest.raises(Refused):
            channel.request("go")
        assert [(record["op"], record["ok"]) for record in heard] == [("go", False)]

    def test_handlers_hear_their_kind_only(self, channel: Channel, process: Played) -> None:
        got: list[Record] = []
        done = threading.Event()
        channel.on("mark", got.append)
        channel.on("last", lambda record: done.set())
        process.say({"event": "mark", "n": 1}, {"event": "other"}, {"event": "mark", "n": 2})
        process.say({"event": "last"})
        assert done.wait(GENEROUS_S)
        assert [record["n"] for record in got] == [1, 2]

    def test_the_first_line_is_waited_for(self, channel: Channel, process: Played) -> None:
        process.say({"event": "ready", "pid": 7})
        assert channel.ready(GENEROUS_S)["pid"] == 7

    def test_who_never_says_that_it_is_ready(self, channel: Channel) -> None:
        with pytest.raises(ChannelError, match=r"its first line: no answer within 0\.05 s"):
            channel.ready(0.05)


class TestEnds:
    def test_one_that_dies_in_mid_request_tells_all_who_wait(
        self, channel: Channel, process: Played
    ) -> None:
        waiting = [channel.send("await"), channel.send("report")]
        process.print(b"Traceback ...\nMemoryError\n", "stderr")
        process.end(1)
        for future, op in zip(waiting, ("await", "report"), strict=True):
            with pytest.raises(ChannelError) as error:
                channel.result(future, GENEROUS_S)
            assert str(error.value) == (
                f"actors: {op}: it has ended; it printed: Traceback ...\nMemoryError"
            )

    def test_one_that_dies_before_it_is_ready(self, channel: Channel, process: Played) -> None:
        process.print(b"python3: No module named client", "stderr")
        process.end(1)
        with pytest.raises(ChannelError, match="it printed: python3: No module named client"):
            channel.ready(GENEROUS_S)

    def test_nobody_asks_one_that_has_ended(self, channel: Channel, process: Played) -> None:
        process.end(1)
        with pytest.raises(ChannelError):
            channel.ready(GENEROUS_S)
        with pytest.raises(ChannelError, match="actors: go: it has ended"):
            channel.request("go")

    def test_a_broken_pipe_is_told(self, channel: Channel, process: Played) -> None:
        def broken(data: bytes) -> None:
            raise BrokenPipeError("Broken pipe")

        process.write = broken  # type: ignore[method-assign]
        with pytest.raises(ChannelError, match="actors: go: cannot be asked: Broken pipe"):
            channel.request("go")

    @pytest.mark.parametrize(
        "line", [b"Segmentation fault\n", b"[]\n", b'{"id": 99, "ok": true}\n', b"\xff\xfe\n"]
    )
    def test_what_is_no_answer_ends_the_conversation(
        self, line: bytes, channel: Channel, process: Played
    ) -> None:
        future = channel.send("go")
        process.print(line)
        with pytest.raises(ChannelError, match="actors: go: its output cannot be read: "):
            channel.result(future, GENEROUS_S)
        with pytest.raises(ChannelError, match="its output cannot be read"):
            channel.request("go")

    def test_half_a_line_at_the_end_is_no_answer(self, channel: Channel, process: Played) -> None:
        future = channel.send("go")
        process.print(b'{"id": 1, "ok": true}')
        process.end(1)
        with pytest.raises(ChannelError, match="actors: go: it has ended"):
            channel.result(future, GENEROUS_S)

    def test_closing_hears_everything_out(
        self, channel: Channel, process: Played, heard: list[Record]
    ) -> None:
        process.say({"event": "ended", "n": 1}, {"event": "ended", "n": 2})
        channel.close()
        assert [record["n"] for record in heard] == [1, 2]

    def test_one_that_does_not_end_is_told(self, channel: Channel, process: Played) -> None:
        process.ends_at_end_of_input = False
        with pytest.raises(ChannelError, match=r"did not end within 0\.05 s of its end of input"):
            channel.close(within_s=0.05)

    def test_one_that_closes_its_output_and_runs_on(
        self, channel: Channel, process: Played
    ) -> None:
        process.ends_at_end_of_input = False
        process.print(b"")
        with pytest.raises(ChannelError, match="closed its output and runs on"):
            channel.close(within_s=0.05)

    def test_the_rest_is_not_lost_when_it_ended_before(
        self, channel: Channel, process: Played
    ) -> None:
        def gone() -> None:
            raise BrokenPipeError("Broken pipe")

        process.end()
        with pytest.raises(ChannelError):
            channel.ready(GENEROUS_S)
        process.close_input = gone  # type: ignore[method-assign]
        channel.close()
