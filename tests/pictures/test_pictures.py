"""The pictures of the models: what they show was measured, and what was measured they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from iolab.harness.backends import choose, identity
from iolab.harness.backends.base import Backend, BackendUnavailable
from iolab.harness.cli.pictures import main
from iolab.harness.errors import UsageError
from iolab.harness.pages import models as page
from iolab.harness.pictures import drawing, recording
from iolab.harness.pictures.drawing import copied_meanwhile, draw, waits
from iolab.harness.pictures.recording import (
    LISTENER,
    RUNNING,
    Client,
    Recording,
    Thread,
    load,
    record,
)
from iolab.harness.pictures.stories import COMPUTING, WAITING
from iolab.harness.places import ROOT
from iolab.harness.run.options import model
from iolab.server import models

SVG = "{http://www.w3.org/2000/svg}"


def client(said: Sequence[float], answered: Sequence[float], accepted: float = 10.0) -> Client:
    """One whose every message is a byte or a line, and who stays until after its last answer."""
    return Client(
        connected=10.0,
        accepted=accepted,
        closed=answered[-1] + 10,
        said=[(t, 6) for t in said],
        answered=[(t, 6) for t in answered],
    )


def made(*threads: Thread) -> Recording:
    """A second in which the quick client waited for the slow one."""
    return Recording(
        model="made",
        story="waiting",
        kernel="6.1",
        lasted=1000.0,
        cpu=2.5,
        samples=1000,
        clients={
            "slow": client([10, 200, 400], [400]),
            "quick": client([100, 600], [410, 600.5], accepted=405),
        },
        threads=threads,
    )


MAIN = Thread(
    "python3",
    [
        (0.0, 10.0, "accept4", LISTENER),
        (10.0, 410.0, "recvfrom", "slow"),
        (410.0, 412.0, RUNNING, None),
        (412.0, 612.0, "recvfrom", "quick"),
        (612.0, 1000.0, RUNNING, None),
    ],
    woken=[10.0, 200.0, 400.0],
    voluntary=5,
    forced=0,
)


def texts(svg: str) -> list[str]:
    """All that is written in a picture; it must be XML."""
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def computing(queue: Sequence[tuple[float, int, int]]) -> Recording:
    """It computed from 100 to 600 ms, and bytes of the slow one came, as `queue` tells."""
    return Recording(
        model="made",
        story="computing",
        kernel="6.1",
        lasted=1000.0,
        cpu=500.0,
        samples=1000,
        clients={
            "slow": replace(client([200, 300], [900]), queue=queue),
            "quick": client([100], [600]),
        },
        threads=[Thread("python3", [(0.0, 1000.0, RUNNING, None)], [], 0, 0)],
    )


def bars(svg: str, colour: str) -> list[tuple[float, float]]:
    """The boxes of a colour that are in the picture, but for the legend: wide, high."""
    boxes = ElementTree.fromstring(svg).findall(f"{SVG}rect")
    found = [box for box in boxes if box.get("fill") == colour]
    return [(float(box.get("width", "")), float(box.get("height", ""))) for box in found]


class TestDrawing:
    def test_it_says_in_which_call_and_on_whose_socket(self) -> None:
        told = texts(draw([made(MAIN)], "阻塞 IO"))
        assert "asleep in recvfrom, on the slow client's socket" in told
        assert "running" in told
        assert "阻塞 IO" in told
        assert "went to sleep 5 times · 2.5 ms of CPU in 1.0 s" in told

    def test_a_client_that_waits_is_shown_waiting(self) -> None:
        assert "waits 0.3 s" in texts(draw([made(MAIN)], ""))

    def test_a_client_that_speaks_slowly_does_not_wait(self) -> None:
        assert waits(client([10, 200, 400], [400.4])) == []

    def test_who_asks_again_before_the_answer_waits_from_the_last_question(self) -> None:
        assert waits(client([100, 150], [400, 401])) == [(150, 400)]

    def test_each_thread_has_a_line_of_its_own(self) -> None:
        told = texts(draw([made(MAIN, MAIN)], ""))
        assert [text for text in told if text.startswith("thread ")] == ["thread 1", "thread 2"]

    def test_what_waits_in_the_socket_and_what_is_copied_have_each_their_colour(self) -> None:
        waited = draw([computing([(10, 0, 0), (200, 1, 1), (300, 2, 2), (610, 0, 2)])], "")
        scale = (drawing.WIDTH - drawing.LEFT - drawing.RIGHT) / 1000
        for colour, expected in (
            (drawing.IN_SOCKET, [(100, drawing.QUEUE_ROW / 2), (310, drawing.QUEUE_ROW)]),
            (drawing.COPIED, [(300, drawing.QUEUE_ROW)]),
        ):
            seen = [(round(wide / scale), high) for wide, high in bars(waited, colour) if high]
            assert seen == expected

    def test_what_was_copied_while_it_computed_is_counted(self) -> None:
        waited = [(10, 0, 0), (200, 1, 1), (300, 2, 2), (610, 0, 2)]
        assert copied_meanwhile(computing(waited)) == (0, 2)
        at_once = [(10, 0, 0), (200, 1, 1), (200.5, 0, 1), (300, 0, 2)]
        assert copied_meanwhile(computing(at_once)) == (2, 2)
        too_late_to_tell = [(10, 0, 0), (200, 0, 1), (595, 1, 2)]
        assert copied_meanwhile(computing(too_late_to_tell)) == (1, 1)

    def test_what_a_model_is_called_cannot_break_the_picture(self) -> None:
        assert "<b> & co" in texts(draw([made(MAIN)], "<b> & co"))


class TestRecording:
    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        backend = choose.backend("namespaces", identity.new_id())
        try:
            backend.check()
        except BackendUnavailable as reason:
            pytest.skip(str(reason))
        try:
            backend.prepare()
            if "capture" in backend.missing():
                pytest.skip(backend.missing()["capture"])
            yield backend
        finally:
            backend.close()

    def test_a_blocking_server_sleeps_on_the_one_and_keeps_the_other_waiting(
        self, backend: Backend
    ) -> None:
        seen = record(backend, model("blocking"), WAITING)
        [main] = seen.threads
        longest = max(main.spans, key=lambda span: span[1] - span[0])
        assert longest[2:] == ("recvfrom", "slow")
        quick, slow = seen.clients["quick"], seen.clients["slow"]
        assert len(slow.said) == 10, "a packet for each byte"
        [(asked, answered)] = waits(quick)
        assert answered - asked > 1000
        assert answered >= slow.closed - 1
        assert main.voluntary >= len(slow.said)

    @pytest.mark.parametrize("name", ["epoll", "uring"])
    def test_who_computes_gets_the_bytes_meanwhile_only_by_asynchronous_io(
        self, backend: Backend, name: str
    ) -> None:
        why_not = models.load(name).unavailable()
        if why_not is not None:
            pytest.skip(why_not)
        seen = record(backend, model(name), COMPUTING)
        [main] = seen.threads
        asked, answered = seen.clients["quick"].said[0][0], seen.clients["quick"].answered[0][0]
        asleep = [
            (since, until)
            for since, until, doing, _ in main.spans
            if doing != RUNNING and since < answered and until > asked
        ]
        busy = answered - asked - sum(min(u, answered) - max(s, asked) for s, u in asleep)
        assert busy > 0.9 * (answered - asked), "it computed all the time"
        copied, came = copied_meanwhile(seen)
        assert came >= 3
        assert copied == (came if name == "uring" else 0)

    def test_what_was_kept_comes_back_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "KEPT_IN", tmp_path / "pictures")
        made(MAIN).save()
        back = load("made", "waiting")
        assert draw([back], "") == draw([made(MAIN)], "")

    def test_without_packets_nothing_is_recorded(self) -> None:
        backend = choose.backend("processes", identity.new_id())
        with pytest.raises(UsageError, match="processes sees no packets"):
            record(backend, model("select"), WAITING)


class TestPage:
    def test_every_model_is_on_it_once(self) -> None:
        listed = [name for kind in page.KINDS for name in kind.models]
        assert sorted(listed) == sorted(models.NAMES)

    def test_a_missing_recording_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recording, "KEPT_IN", ROOT / "nowhere")
        page._recording.cache_clear()
        missing = r"^nowhere/select-waiting.json: is missing; `make pictures`"
        with pytest.raises(UsageError, match=missing):
            page.pages()["docs/pictures/select.svg"]()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--model", "magic"], "--model: invalid choice: 'magic'"),
        (["--backend", "cloud"], "--backend: invalid choice: 'cloud'"),
    ],
)
def test_bad_options_are_told(flags: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        main(flags)
