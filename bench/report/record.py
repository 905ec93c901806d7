"""The JSON of `--json` (`docs/bench.md`)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from statistics import median
from typing import Any

from bench.bars import BARS, Bar
from bench.plan import Entry, Group
from bench.rounds import Measurement, Results
from bench.run import Run


def write(path: Path, run: Run) -> None:
    """Write all figures of a run."""
    path.write_text(json.dumps(record(run), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def record(run: Run) -> dict[str, Any]:
    """A run as plain data."""
    return {
        "date": run.date,
        "machine": dataclasses.asdict(run.machine),
        "versions": dict(run.versions),
        "client": "agent" if run.no_c else "c",
        "seed": run.seed,
        **dataclasses.asdict(run.pace),
        "groups": [
            {
                "name": group.name,
                "title": group.title,
                "entries": [_entry(group, entry, run.results) for entry in group.entries],
            }
            for group in run.groups
        ],
        "bars": [_bar(bar, run.results) for bar in BARS],
    }


def _entry(group: Group, entry: Entry, results: Results) -> dict[str, Any]:
    key = group.name, entry.name
    return {
        **dataclasses.asdict(entry),
        "absent": results.absent.get(key),
        "measured": [_measurement(m) for m in results.rounds.get(key, [])],
    }


def _measurement(measurement: Measurement) -> dict[str, float | None]:
    return {
        **dataclasses.asdict(measurement.sample),
        "memory": measurement.memory,
        "others": measurement.others,
    }


def _bar(bar: Bar, results: Results) -> dict[str, Any]:
    figures = bar.figures(results)
    return {
        "title": bar.title,
        "group": bar.group,
        "entry": bar.entry,
        "over": bar.over,
        "limit": bar.limit,
        "at_most": bar.at_most,
        "figures": figures,
        "median": median(figures) if figures else None,
        "outcome": bar.outcome(results),
    }
