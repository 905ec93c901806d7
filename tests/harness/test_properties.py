"""What a report says of a playing: plain texts, for JUnit, and records of `--results`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from iolab.harness.judge import Level
from iolab.harness.places import ROOT
from iolab.harness.report import properties
from iolab.harness.report.terminal import RESULT_FIELDS
from tests.harness.broken import script
from tests.harness.reports import DOUBT, LEAK, Run, attempt, outcome, playing

Record = dict[str, Any]

DYING = 'name = "dying"\nport = 9000\nfiles = "."\ncommand = ["python3", "subject.py", "", "1"]\n'


def results(run: Run, path: Path) -> list[Record]:
    run.told()
    records: list[Record] = json.loads(path.read_text(encoding="utf-8"))
    return records


def test_properties_are_texts_that_any_worker_can_hand_on() -> None:
    told = properties.of(outcome(attempt(DOUBT), attempt(LEAK)))
    assert all(isinstance(value, str) for _, value in told)
    told_of = dict(told)
    assert told_of["scenario"] == "disconnect.fin-idle"
    assert (told_of["reply"], told_of["cleanup"]) == ("OK", "FAILED")
    assert json.loads(str(told_of["attempts"])) == ["UNKNOWN", "FAILED"]
    assert str(told_of["findings"]).isascii(), "whatever a server said can be handed on"


def test_a_failure_in_words() -> None:
    words = properties.in_words(outcome(attempt(DOUBT), attempt(LEAK))).splitlines()
    assert words[0] == "disconnect.fin-idle against mine (attempt 2)"
    assert words[1].startswith("cleanup: FAILED")
    assert words[1].endswith(LEAK.summary)
    assert [line.strip() for line in words[2:4]] == list(LEAK.evidence)
    assert words[-1] == "observations: /runs/1/it.1.ndjson"


def test_results_have_every_field_in_every_record(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    run = Run(path)
    run.played(outcome(attempt(DOUBT, doubts=("late",)), attempt(LEAK)))
    run.played(outcome(attempt(), of=playing("connect.one", family=6)))
    run.reported(properties.unsupported(playing("vanish.idle"), "no promise"), "skipped")
    run.reported(properties.broken_off(playing("vanish.cable"), OSError("no room")), "failed")
    records = results(run, path)
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


def test_only_the_call_of_a_scenario_is_a_record(tmp_path: Path) -> None:
    run = Run(tmp_path / "results.json")
    told = properties.of(outcome(attempt()))
    run.reported(told, when="setup")
    run.reported(told, when="teardown")
    run.reported([("other", "test")])
    assert run.told() == ""
    assert not (tmp_path / "results.json").exists()


def test_results_have_their_page() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    documented = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert documented[: len(RESULT_FIELDS)] == list(RESULT_FIELDS)
    assert all(f"`{level}`" in page for level in Level)


def test_a_run_leaves_results_and_junit_that_agree(tmp_path: Path) -> None:
    script(tmp_path, r"sys.stdout.buffer.write(b'bad \xff\x1b[2J\n'); sys.exit(3)")
    (tmp_path / "dying.toml").write_text(DYING)
    json_file, xml_file = tmp_path / "results.json", tmp_path / "junit.xml"
    words = [sys.executable, "-m", "pytest", "harness/", "-q", "-n0", "-p", "no:cacheprovider"]
    words += ["--backend", "processes", "--subject", str(tmp_path / "dying.toml")]
    words += ["-k", "connect.one- or reply.binary-"]
    words += ["--results", str(json_file), "--junitxml", str(xml_file)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    records: list[Record] = json.loads(json_file.read_text(encoding="utf-8"))
    assert {r["scenario"]: (r["reply"], r["passed"]) for r in records} == {
        "connect.one": ("FAILED", False),
        "reply.binary": ("UNSUPPORTED", True),
    }
    [failed] = [record for record in records if not record["passed"]]
    assert failed["findings"][0]["cause"] == "died"
    assert "its log: bad \\xff\\x1b[2J" in failed["findings"][0]["evidence"]
    assert "\x1b[2J" not in done.stdout
    cases = ElementTree.parse(xml_file).getroot().iter("testcase")
    told = [{str(p.get("name")): p.get("value") for p in case.iter("property")} for case in cases]
    assert sorted(str(case["reply"]) for case in told) == ["FAILED", "UNSUPPORTED"]
    assert all(case["subject"] == "dying" for case in told)


@pytest.mark.parametrize("level", list(Level))
def test_every_level_has_a_style(level: Level) -> None:
    from iolab.harness.report.terminal import STYLES

    assert str(level) in STYLES
