"""What is made of results: the page, the chart, the JSON, the tables."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console

from bench.plan import GROUPS
from bench.report import chart, page, record, terminal
from bench.rounds import Results
from tests.bench.results import measurement, run

SVG = "{http://www.w3.org/2000/svg}"


def results() -> Results:
    found = Results()
    found.rounds["lines-100", "epoll"] = [measurement(rate) for rate in (90e3, 100e3, 110e3)]
    found.rounds["lines-100", "c-epoll"] = [measurement(rate) for rate in (200e3, 200e3, 200e3)]
    found.absent["lines-100", "uvloop-protocol"] = "uvloop is not installed <here>"
    return found


def test_the_chart_has_a_bar_for_each_who_was_measured() -> None:
    root = ElementTree.fromstring(chart.svg(GROUPS["lines-100"], results()))
    kinds = {"ours", "others", "c"}
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.get("class") in kinds]
    assert [bar.get("class") for bar in bars] == ["c", "ours"]
    lengths = [float(bar.get("width", "0")) for bar in bars]
    assert lengths[0] == 2 * lengths[1]
    assert lengths[0] <= chart.WIDTH


def test_the_page_tells_outcome_date_and_machine(tmp_path: Path) -> None:
    page.write(tmp_path, run(results(), "lines-100"))
    text = (tmp_path / page.PAGE).read_text(encoding="utf-8")
    assert (
        "| epoll ÷ epoll in C, 100 clients | 0.500 | 0.450 … 0.550 | 1.000 | ≥ 0.85 | **short** |"
        in text
    )
    assert "Absent: epoll ÷ uvloop Protocol, 100 clients (uvloop is not installed <here>)." in text
    assert "2026-01-02: A CPU, 2 cores, Linux 0.0, Python 0.0; uvloop 0" in text
    assert "--seed 7" in text
    assert (tmp_path / page.CHART).exists()


def test_a_page_of_a_busy_machine_says_so() -> None:
    found = results()
    assert "Others took more" not in page.text(run(found, "lines-100"))
    busy = dataclasses.replace(measurement(1e5), others=0.7)
    found.rounds["lines-100", "epoll"][1] = busy
    assert "Others took more than 0.2 of a core during 1 of 6 meas" in page.text(
        run(found, "lines-100")
    )


def test_the_json_has_every_measurement_and_bar() -> None:
    said = json.loads(json.dumps(record.record(run(results(), "lines-100"))))
    [group] = said["groups"]
    entries = {entry["name"]: entry for entry in group["entries"]}
    assert [m["messages"] for m in entries["epoll"]["measured"]] == [90_000, 100_000, 110_000]
    assert entries["uvloop-protocol"]["absent"] == "uvloop is not installed <here>"
    bars = {(bar["group"], bar["entry"], bar["over"]): bar for bar in said["bars"]}
    bar = bars["lines-100", "epoll", "c-epoll"]
    assert (bar["median"], bar["outcome"]) == (0.5, "short")
    assert bars["crowd", "epoll", None]["outcome"] == "not measured"


def test_the_terminal_shows_only_bars_of_what_was_chosen() -> None:
    out = io.StringIO()
    terminal.show(Console(file=out, width=160), run(results(), "lines-100"))
    said = out.getvalue()
    assert "our epoll" in said
    assert "epoll ÷ epoll in C, 100 clients" in said
    assert "uvloop is not installed <here>" in said
    assert "1 000 clients" not in said
