"""What a report says of a run: plain texts for JUnit, and the file of `--results`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import msgspec
import pytest

from iolab.harness.errors import UsageError
from iolab.harness.judge import Level
from iolab.harness.pages import schemas
from iolab.harness.pages.results import page
from iolab.harness.places import ROOT
from iolab.harness.report import results
from iolab.harness.report.outcome import broken_off, unsupported
from iolab.harness.report.results import BY_NATURE, Result, Said
from iolab.harness.report.terminal import STYLES
from tests.harness.broken import script
from tests.harness.reports import ABOUT, DOUBT, LEAK, Run, attempt, outcome, playing
from tests.harness.schema import Validator

Record = dict[str, Any]

DYING = 'name = "dying"\nport = 9000\nfiles = "."\ncommand = ["python3", "subject.py", "", "1"]\n'


RESULT_FIELDS = tuple(field.name for field in msgspec.structs.fields(Result))


def written(run: Run, path: Path) -> dict[str, Any]:
    run.told()
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@pytest.fixture
def run_of_all_kinds(tmp_path: Path) -> Run:
    """A failure, a pass, one that is not demanded, and one that was broken off."""
    run = Run(tmp_path / "results.json")
    run.played(outcome(attempt(DOUBT, doubts=("late",)), attempt(LEAK)))
    run.played(outcome(attempt(), of=playing("connect.one", family=6)))
    run.reported(unsupported(playing("vanish.idle"), "no promise"))
    run.reported(broken_off(playing("vanish.cable"), OSError("no room")))
    return run


def test_properties_are_texts_that_any_worker_can_hand_on() -> None:
    told = outcome(attempt(DOUBT), attempt(LEAK)).result().properties()
    assert all(isinstance(value, str) for _, value in told)
    told_of = dict(told)
    assert told_of["scenario"] == "disconnect.fin-idle"
    assert (told_of["reply"], told_of["cleanup"]) == ("OK", "FAILED")
    assert json.loads(str(told_of["attempts"])) == ["UNKNOWN", "FAILED"]
    assert "reason" not in told_of, "what there is nothing to say of is left out"


@pytest.mark.parametrize("said", ["2", "null", "[]", "\udcff \x1b[2J é", '"'])
def test_a_result_comes_through_properties_as_it_was(said: str) -> None:
    finding = results.Finding(
        side="reply", level=Level.FAILED, cause=said, summary=said, evidence=(said, said)
    )
    whole = msgspec.structs.replace(
        outcome(attempt(DOUBT, doubts=(said,)), attempt(LEAK)).result(),
        findings=(finding,),
        reason=said,
    )
    assert Result.of_properties(whole.properties()) == whole
    assert str(dict(whole.properties())["findings"]).isascii(), "whatever a server said"


def test_a_failure_in_words() -> None:
    words = outcome(attempt(DOUBT), attempt(LEAK)).in_words().splitlines()
    assert words[0] == "disconnect.fin-idle against mine (attempt 2)"
    assert words[1].startswith("cleanup: FAILED")
    assert words[1].endswith(LEAK.summary)
    assert [line.strip() for line in words[2:4]] == list(LEAK.evidence)
    assert words[-1] == "observations: /runs/1/it.1.ndjson"


def test_results_have_every_field_in_every_record(run_of_all_kinds: Run, tmp_path: Path) -> None:
    records: list[Record] = written(run_of_all_kinds, tmp_path / "results.json")["results"]
    assert all(tuple(record) == RESULT_FIELDS for record in records)
    by_id = {record["scenario"]: record for record in records}
    assert by_id["disconnect.fin-idle"] == {
        "scenario": "disconnect.fin-idle",
        "title": "made by a test",
        "subject": "mine",
        "ip": 4,
        "reply": "OK",
        "cleanup": "FAILED",
        "passed": False,
        "seconds": 1.23,
        "attempts": ["UNKNOWN", "FAILED"],
        "findings": [
            {
                "side": "cleanup",
                "level": "FAILED",
                "cause": "CLOSE-WAIT",
                "summary": LEAK.summary,
                "evidence": list(LEAK.evidence),
            }
        ],
        "figures": [{"name": "wake-ups", "value": 3.5, "unit": "a second"}],
        "doubts": [["late"], []],
        "observations": ["/runs/1/it.0.ndjson", "/runs/1/it.1.ndjson"],
        "reason": None,
    }
    assert (by_id["connect.one"]["ip"], by_id["connect.one"]["passed"]) == (6, True)
    unsupported = by_id["vanish.idle"]
    assert (unsupported["reply"], unsupported["cleanup"]) == ("UNSUPPORTED", "UNSUPPORTED")
    assert (unsupported["passed"], unsupported["reason"]) == (True, "no promise")
    assert (unsupported["seconds"], unsupported["attempts"]) == (None, [])
    broken = by_id["vanish.cable"]
    assert (broken["reply"], broken["passed"]) == ("UNKNOWN", False)
    assert broken["findings"][0]["summary"] == "the harness broke off: OSError('no room')"


def test_results_say_what_was_run(run_of_all_kinds: Run, tmp_path: Path) -> None:
    data = written(run_of_all_kinds, tmp_path / "results.json")
    assert list(data) == ["version", "run", "results"]
    assert data["version"] == 1
    assert data["run"] == {
        "date": "2026-01-31T23:59:59Z",
        "backend": "namespaces",
        "machine": {
            "kernel": "Linux 6.18",
            "architecture": "x86_64",
            "cores": 2,
            "python": "3.11.2",
        },
        "versions": {"iolab": "0.1.0"},
        "options": {"subjects": ["mine"], "ip": [4], "scale": 1, "only": {}, "keywords": "idle"},
    }


def test_what_was_written_is_read_back(run_of_all_kinds: Run, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    data = written(run_of_all_kinds, path)
    assert json.loads(msgspec.json.encode(results.read(path))) == data
    assert Validator(schemas.results()).fits(data)
    assert os.listdir(tmp_path) == ["results.json"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON: "),
        ("[]", "must be an object with `version`, `run` and `results`"),
        ("{}", "version: must be 1, not None"),
        ('{"version": 2, "what": 1}', "version: must be 1, not 2"),
        ('{"version": 1, "results": []}', "run: is missing: it must be a table"),
        ('{"version": 1, "run": {"date": 7}}', "run.date: must be a text, not 7"),
    ],
)
def test_what_are_no_results_is_told_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(UsageError) as error:
        results.read(path)
    assert str(error.value).startswith(f"{path}: {told}")
    assert "\n" not in str(error.value)


def test_results_that_cannot_be_written_leave_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    broken = msgspec.structs.replace(ABOUT, date="\udcff")  # UTF-8 has no such character
    with pytest.raises(UnicodeEncodeError):
        results.write(path, broken, [])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_results_go_into_a_pipe_as_well(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(path.read_text()), daemon=True)
    reader.start()
    results.write(path, ABOUT, [])
    reader.join(10)
    assert json.loads(got[0])["results"] == []


def test_only_the_call_of_a_scenario_is_a_record(tmp_path: Path) -> None:
    run = Run(tmp_path / "results.json")
    told = outcome(attempt()).result()
    run.reported(told, when="setup")
    run.reported(told, when="teardown")
    run.reported([("other", "test")])
    assert run.told() == ""
    assert not (tmp_path / "results.json").exists()


def test_a_run_leaves_results_and_junit_that_agree(tmp_path: Path) -> None:
    script(tmp_path, r"sys.stdout.buffer.write(b'bad \xff\x1b[2J\n'); sys.exit(3)")
    (tmp_path / "dying.toml").write_text(DYING)
    json_file, xml_file = tmp_path / "results.json", tmp_path / "junit.xml"
    words = [sys.executable, "-m", "pytest", "harness/", "-q", "-n0", "-p", "no:cacheprovider"]
    words += ["--backend", "processes", "--subject", str(tmp_path / "dying.toml")]
    words += ["-k", "connect.one- or reply.binary-"]
    words += ["--results", str(json_file), "--junitxml", str(xml_file)]
    env = {**os.environ, "CI": "true"}  # where pytest prints its last lines whole
    done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = results.read(json_file)
    assert (found.run.backend, found.run.options.subjects) == ("processes", ("dying",))
    assert found.run.options.keywords == "connect.one- or reply.binary-"
    assert found.run.versions.keys() == {"iolab"}
    assert {one.scenario: (one.reply, one.passed) for one in found.results} == {
        "connect.one": ("FAILED", False),
        "reply.binary": ("UNSUPPORTED", True),
    }
    [failed] = [one for one in found.results if not one.passed]
    assert failed.findings[0].cause == "does not start"
    assert "its log: bad \\xff\\x1b[2J" in failed.findings[0].evidence
    assert "\x1b[2J" not in done.stdout
    assert done.stdout.count("its log: bad") == 1
    [failure] = ElementTree.parse(xml_file).getroot().iter("failure")
    assert "its log: bad" in str(failure.text)
    cases = ElementTree.parse(xml_file).getroot().iter("testcase")
    told = [{str(p.get("name")): p.get("value") for p in case.iter("property")} for case in cases]
    assert sorted(str(case["reply"]) for case in told) == ["FAILED", "UNSUPPORTED"]
    assert all(case["subject"] == "dying" for case in told)


def test_whatever_can_be_said_has_a_style_and_is_explained() -> None:
    said = get_args(Said)
    assert said == (*map(str, Level), BY_NATURE)
    assert set(STYLES) == set(said)
    assert all(f"| `{one}` |" in page() for one in said)
