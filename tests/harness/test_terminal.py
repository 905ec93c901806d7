"""The table at the end of a run, likely causes, and the evidence under them."""

from __future__ import annotations

from dataclasses import replace

from iolab.harness.judge import Finding, Level
from iolab.harness.report.outcome import broken_off, unsupported
from tests.harness.reports import DOUBT, LEAK, MINE, Run, attempt, outcome, playing


def lines_of(run: Run) -> list[str]:
    return [line.rstrip() for line in run.told().splitlines()]


def test_a_row_a_scenario_in_order() -> None:
    run = Run()
    other = replace(MINE, name="another")
    run.played(outcome(attempt(), of=playing("reply.empty")))
    run.played(outcome(attempt(), of=playing("connect.one", family=6)))
    run.played(outcome(attempt(), of=playing("connect.one")))
    run.played(outcome(attempt(), of=playing("vanish.idle", subject=other)))
    run.reported(unsupported(playing("vanish.cable"), "no cable here"))
    head, *rows = lines_of(run)[:6]
    assert head.split() == ["scenario", "subject", "reply", "cleanup", "time"]
    assert [" ".join(row.split()) for row in rows] == [
        "vanish.idle another OK OK 1.2 s wake-ups 3.5 a second",
        "connect.one mine OK OK 1.2 s wake-ups 3.5 a second",
        "reply.empty mine OK OK 1.2 s wake-ups 3.5 a second",
        "vanish.cable mine UNSUPPORTED UNSUPPORTED no cable here",
        "connect.one mine IPv6 OK OK 1.2 s wake-ups 3.5 a second",
    ]
    assert lines_of(run)[-1] == "5 playings, 10 verdicts: 8 OK, 2 UNSUPPORTED"


def test_a_failure_with_its_evidence() -> None:
    run = Run()
    run.played(outcome(attempt(LEAK)))
    lines = lines_of(run)
    at = lines.index("disconnect.fin-idle against mine")
    assert lines[at + 1].startswith("  cleanup: FAILED")
    assert lines[at + 1].endswith(LEAK.summary)
    assert lines[at + 2 : at + 5] == [
        "      closer#0 [fd00:ab::4]:50000: CLOSE-WAIT in the server's kernel",
        "      its log: [red]no[/red]",
        "  observations: /runs/1/it.0.ndjson",
    ]
    assert lines[-1] == "1 playings, 2 verdicts: 1 FAILED, 1 OK"


def test_pytest_itself_shows_a_line_of_it_and_junit_gets_all() -> None:
    outcome_ = outcome(attempt(LEAK))
    report = Run().played(outcome_)
    assert str(report.longrepr) == outcome_.in_words()
    assert report.longreprtext == f"cleanup: FAILED (CLOSE-WAIT): {LEAK.summary}"


def test_what_is_a_matter_of_the_subject_is_told_once() -> None:
    run = Run()
    gone = Finding("reply", Level.FAILED, "in the background", "its command ended", ("exec",))
    for id in ("connect.one", "reply.empty", "vanish.idle"):
        run.played(outcome(attempt(gone), of=playing(id)))
    run.played(outcome(attempt(gone), of=playing(subject=replace(MINE, name="other"))))
    lines = lines_of(run)
    assert "connect.one against mine, and 2 more" in lines
    assert "disconnect.fin-idle against other" in lines
    assert not any(
        line.startswith(("reply.empty against", "vanish.idle against")) for line in lines
    )
    assert lines[-1] == "4 playings, 8 verdicts: 4 FAILED, 4 OK"


def test_where_the_observations_are_comes_last() -> None:
    run = Run(observations="observations: runs/[1] (12 MiB)")
    run.played(outcome(attempt()))
    assert lines_of(run)[-1] == "observations: runs/[1] (12 MiB)"


def test_evidence_is_never_wrapped() -> None:
    run = Run()
    long = "its log: " + "word " * 100
    run.played(outcome(attempt(replace(LEAK, evidence=(long,)))))
    assert f"      {long}".rstrip() in lines_of(run)


def test_likely_causes_come_first_the_commonest_on_top() -> None:
    run = Run()
    spins = Finding("cleanup", Level.FAILED, "spins", "it burns CPU")
    run.played(outcome(attempt(spins), of=playing("connect.one")))
    for number in range(5):
        run.played(outcome(attempt(LEAK, LEAK), of=playing(f"disconnect.n{number}")))
    lines = lines_of(run)
    at = lines.index("Likely causes")
    assert lines[at + 1 : at + 3] == [
        "  CLOSE-WAIT: in 5 (disconnect.n0, disconnect.n1, disconnect.n2 and 2 more)",
        "  spins: in 1 (connect.one)",
    ]
    assert at < lines.index("connect.one against mine")


def test_what_is_in_doubt_is_no_cause() -> None:
    run = Run()
    run.played(outcome(attempt(replace(LEAK, level=Level.UNKNOWN)), of=playing("connect.one")))
    run.played(outcome(attempt(LEAK), of=playing("reply.empty")))
    lines = lines_of(run)
    assert lines[lines.index("Likely causes") + 1] == "  CLOSE-WAIT: in 1 (reply.empty)"


def test_a_run_without_failures_names_no_cause() -> None:
    run = Run()
    run.played(outcome(attempt()))
    assert "Likely causes" not in run.told()


def test_what_was_played_again_is_told_with_the_reason_of_each_attempt() -> None:
    run = Run()
    run.played(outcome(attempt(DOUBT, doubts=("late by 2 s", "no packet")), attempt()))
    told = run.told()
    assert "attempts: UNKNOWN, OK" in told
    assert lines_of(run)[-3:] == [
        "played more than once: disconnect.fin-idle",
        "  disconnect.fin-idle: UNKNOWN: late by 2 s; no packet",
        "  disconnect.fin-idle: OK",
    ]


def test_one_that_the_harness_broke_off_is_a_row_too() -> None:
    run = Run()
    run.reported(broken_off(playing(), OSError("no room")))
    told = run.told()
    assert told.count("the harness broke off: OSError('no room')") == 3
    assert "1 playings, 2 verdicts: 2 UNKNOWN" in told


def test_colours_are_for_terminals() -> None:
    run = Run()
    run.played(outcome(attempt(LEAK)))
    assert "\x1b[" not in run.told()
    assert "\x1b[" in run.told(markup=True)
