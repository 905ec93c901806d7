"""What a run says of the harness: who was caught as the manifest wants it, and who was blamed."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from iolab.harness.judge import SIDES, Side
from iolab.harness.report.results import Result
from iolab.harness.subject.manifest import Subject

BAD = ("FAILED", "UNKNOWN")


def missed(broken: Subject, rows: Sequence[Result], impossible: Collection[str] = ()) -> list[str]:
    """What was not caught, in words, with what was seen instead; one text a scenario.

    A scenario catches the server if one of its playings fails on the verdict that the manifest
    names, with evidence in which its words are found. One that the backend cannot play, for one of
    the `impossible` reasons, catches nobody and misses nobody.
    """
    return [
        f"{broken.name}: {named}: no {wanted!r}; instead: {instead}"
        for named, wanted in broken.expected.items()
        if (instead := _instead(wanted, _of(broken, named, rows), impossible)) is not None
    ]


def unplayable(broken: Subject, rows: Sequence[Result], impossible: Collection[str]) -> bool:
    """Whether the backend can play nothing of what would catch the server."""
    return all(_all_impossible(_of(broken, name, rows), impossible) for name in broken.expected)


def _all_impossible(played: Sequence[Result], impossible: Collection[str]) -> bool:
    return bool(played) and all(row.reason in impossible for row in played)


def _of(subject: Subject, named: str, rows: Sequence[Result]) -> list[Result]:
    """The playings of the subject that are meant by that name: `ID`, or `ID/CASE`."""
    own = (row for row in rows if row.subject == subject.name)
    return [row for row in own if re.match(rf"{re.escape(named)}(?![^/ ])", row.scenario)]


def _instead(wanted: str, played: Sequence[Result], impossible: Collection[str]) -> str | None:
    """What was seen in place of `wanted`, "SIDE: WORDS"; None where that was seen."""
    named, _, words = wanted.partition(": ")
    side = next(side for side in SIDES if side == named)
    if not played:
        return "it was not played"
    if _all_impossible(played, impossible):
        return None
    if any(row.said(side) == "FAILED" and re.search(words, evidence(row, side)) for row in played):
        return None
    return "; ".join(_told(row, side) for row in played)


def blamed(control: Subject, rows: Sequence[Result]) -> list[str]:
    """What the server was blamed for, or could not be judged by; one text a verdict."""
    own = [row for row in rows if row.subject == control.name]
    if not any(row.reply == "OK" for row in own):
        return [f"{control.name}: nothing that it was asked for was OK"]
    return [
        f"{control.name}: {_told(row, side)}"
        for row in own
        for side in SIDES
        if row.said(side) in BAD
    ]


def _told(row: Result, side: Side) -> str:
    """How a playing ended, with its evidence."""
    ended = f"{row.scenario}: {side}: {row.said(side)}"
    more = row.reason or evidence(row, side)
    return f"{ended}\n{more}" if more else ended


def evidence(row: Result, side: Side) -> str:
    """The findings of one verdict, with their evidence, as one text."""
    return "\n".join(
        "\n".join((finding.cause, finding.summary, *finding.evidence))
        for finding in row.findings
        if finding.side == side and finding.level in BAD
    )
