"""Records → verdicts. Nothing here touches a lab: a saved playing is judged the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iolab.harness.judge.cleanup import judge_cleanup
from iolab.harness.judge.reply import judge_reply
from iolab.harness.judge.scene import Scene
from iolab.harness.judge.trust import Doubt, doubts
from iolab.harness.judge.verdict import SIDES, Finding, Judgement, Level, Side, Verdict
from iolab.harness.record.base import Record
from iolab.harness.record.kinds import Figure

__all__ = ["SIDES", "Finding", "Judgement", "Level", "Side", "Verdict", "judge"]


def judge(records: Sequence[Record]) -> Judgement:
    """The two verdicts of one playing."""
    scene = Scene.of(records)
    why = doubts(scene)
    return Judgement(
        scene.header.label,
        reply=Verdict.of(_weighed("reply", judge_reply(scene), why)),
        cleanup=Verdict.of(_weighed("cleanup", judge_cleanup(scene), why)),
        doubts=tuple(doubt.reason for doubt in why),
        figures=tuple(scene.all(Figure)),
    )


def _weighed(side: Side, findings: list[Finding], why: list[Doubt]) -> list[Finding]:
    """Findings that rest on what is in doubt become UNKNOWN; so does a pass without its proof."""
    unproven = [doubt.reason for doubt in why if doubt.unproven]
    slow = [doubt.reason for doubt in why if not doubt.unproven]
    weighed = []
    for finding in findings:
        reason = next(iter(unproven), None) if finding.conditional else None
        reason = reason or (next(iter(slow), None) if finding.timed else None)
        if finding.level is Level.FAILED and reason:
            doubted = (f"in doubt: {finding.summary}", *finding.evidence)
            finding = replace(finding, level=Level.UNKNOWN, summary=reason, evidence=doubted)
        weighed.append(finding)
    if unproven and not any(f.level in (Level.FAILED, Level.UNKNOWN) for f in weighed):
        weighed.append(Finding(side, Level.UNKNOWN, "unproven", unproven[0], tuple(unproven[1:])))
    return weighed
