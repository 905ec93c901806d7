"""For how much of a time the lab itself held somebody up."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from iolab.harness.judge.scene import Scene
from iolab.harness.record.kinds import HeldUp


def held_up(scene: Scene, begin: float, end: float, whom: Collection[str | None]) -> float:
    """The seconds between `begin` and `end` in which the lab held up one of these.

    They are clients' nodes, or None for the subject. Of several that were held up in the same
    moment, or for several reasons, the largest share counts, and no other.
    """
    spans = [
        (max(begin, one.since), min(end, end if one.until is None else one.until), one.share)
        for one in _last_words(scene)
        if one.client in whom
    ]
    spans = [span for span in spans if span[0] < span[1]]
    cuts = sorted({moment for since, until, _ in spans for moment in (since, until)})
    return sum(
        (after - before)
        * max((share for since, until, share in spans if since <= before < until), default=0.0)
        for before, after in pairwise(cuts)
    )


def _last_words(scene: Scene) -> list[HeldUp]:
    """Each hold-up once: as it ended, or as it began where that is on record alone."""
    return list({(one.client, one.since): one for one in scene.all(HeldUp)}.values())
