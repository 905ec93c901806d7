"""`python -m iolab judge RUN`: a saved playing is judged again, by the same rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from iolab.harness.cli.main import main
from iolab.harness.judge import judge
from iolab.harness.record.kinds import Death, NotShown
from iolab.harness.record.lines import load
from iolab.harness.record.recorder import Recorder
from tests.judge.playing import Observed, client, row


def passed(label: str = "connect.one") -> Observed:
    seen = Observed(label)
    seen.group("one")
    seen.report("one#0", "ok")
    seen.end("served")
    return seen


def failed() -> Observed:
    seen = Observed("disconnect.fin-idle")
    seen.group("closer", must="nothing")
    seen.report("closer#0", "ok")
    seen.snapshot("last", row(client(0), "CLOSE-WAIT"))
    seen.removal(client(0), held=False)
    seen.end("[bold]no markup[/] 空山")
    return seen


def save(seen: Observed, path: Path) -> Path:
    recorder = Recorder(path)
    for record in seen.records:
        recorder.add(record)
    recorder.close()
    return path


@pytest.mark.parametrize("make", [passed, failed])
def test_a_saved_playing_gives_the_same_verdicts(
    make: Callable[[], Observed], tmp_path: Path
) -> None:
    seen = make()
    path = save(seen, tmp_path / "runs" / "one.ndjson")
    assert load(path) == seen.records
    assert judge(load(path)) == seen.judged()


def test_a_pass_is_status_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["judge", str(save(passed(), tmp_path / "one.ndjson"))]) == 0
    assert capsys.readouterr().out.split() == [
        *("connect.one", "reply", "OK", "cleanup", "OK", "one.ndjson")
    ]


def test_a_failure_is_status_1_with_its_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", str(save(failed(), tmp_path / "it.ndjson"))]) == 1
    said = capsys.readouterr().out
    assert "cleanup FAILED" in said
    assert "closer#0 10.91.0.4:50000: CLOSE-WAIT in the server's kernel" in said


def test_unknown_is_status_1(tmp_path: Path) -> None:
    seen = passed()
    seen.add(NotShown(reason="drop: no packet was taken"))
    assert main(["judge", str(save(seen, tmp_path / "it.ndjson"))]) == 1


def test_a_folder_is_judged_file_by_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(passed("connect.one"), tmp_path / "a.ndjson")
    save(failed(), tmp_path / "b.ndjson")
    save(passed("connect.churn"), tmp_path / "c.ndjson")
    (tmp_path / "a.pcapng").write_bytes(b"no record")
    assert main(["judge", str(tmp_path)]) == 1
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    assert first == ["connect.one", "disconnect.fin-idle", "connect.churn"]


@pytest.mark.parametrize("text", ["no JSON\n", "{}\n", "[1]\n", "", '{"kind": "group"}\n', "\xff"])
def test_what_is_no_record_of_a_playing_is_told_in_one_line(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "notes.ndjson"
    path.write_bytes(text.encode("latin-1"))
    assert main(["judge", str(path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"iolab: {path}: is not a record of a playing")


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ('"version":99', "was recorded with version 99; 1 can be read here"),
        ('"version":"1"', "was recorded with version '1'; 1 can be read here"),
        ('"other":1', "was recorded with no version; 1 can be read here"),
    ],
)
def test_another_version_is_refused_in_one_line(
    version: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(passed(), tmp_path / "it.ndjson")
    text = path.read_text()
    assert text.count('"version":1') == 1
    path.write_text(text.replace('"version":1', version))
    assert main(["judge", str(path)]) == 2
    assert capsys.readouterr().err.splitlines() == [f"iolab: {path}: {told}"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"kind":"kept","peers":[]}', "the kind 'kept' is not known here"),
        ('{"kind":"proof","claim":3,"held":true}', "Expected `str`, got `int` - at `$.claim`"),
        ('{"kind":"proof","held":true}', "Object missing required field `claim`"),
        ('{"event":"late","t":1.0}', "Object missing required field `late_s`"),
        ('{"t":1.0}', "it has neither `kind` nor `event` nor `op`"),
        ('{"kind":"proof",', "Expecting property name enclosed in double quotes: line 1 column 17"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(
    line: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = save(passed(), tmp_path / "it.ndjson")
    number = len(path.read_text().splitlines()) + 1
    with path.open("a") as file:
        file.write(f"{line}\n")
    assert main(["judge", str(path)]) == 2
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(f"iolab: {path}: line {number}: {told}")


@pytest.mark.parametrize("name", ["nowhere", "nowhere.ndjson", ""])
def test_what_is_not_there_is_told_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["judge", str(tmp_path / name)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "RUN: must be a folder with .ndjson files, or one of them" in line


def test_an_address_is_no_emoji(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Observed()
    seen.add(Death(status=1))
    seen.end("peer fd00:ab::4 :bee:", status=1)
    main(["judge", str(save(seen, tmp_path / "it.ndjson"))])
    assert "its log: peer fd00:ab::4 :bee:" in capsys.readouterr().out
