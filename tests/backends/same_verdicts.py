"""Whether two runs gave the same verdicts: `python -m tests.backends.same_verdicts ONE OTHER`.

ONE and OTHER are what `--results` wrote, of one backend each. A playing that either backend says it
cannot do (`UNSUPPORTED`) is counted apart. Exit status 1 with a line for each difference.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from iolab.harness.judge import SIDES
from iolab.harness.report import results
from iolab.harness.report.results import Result

Playings = Mapping[tuple[str, str, int], Result]


def read(path: str) -> Playings:
    """The records of a file, by scenario, subject and address family."""
    return {
        (each.scenario, each.subject, each.ip): each for each in results.read(Path(path)).results
    }


def differences(one: Playings, other: Playings) -> tuple[list[str], int]:
    """What differs, in words, and how many playings one of the two cannot do."""
    lines = [f"{' '.join(map(str, key))}: only in one" for key in sorted(one.keys() ^ other.keys())]
    unsupported = 0
    for key in sorted(one.keys() & other.keys()):
        verdicts = [tuple(map(record.said, SIDES)) for record in (one[key], other[key])]
        if any("UNSUPPORTED" in pair for pair in verdicts) and verdicts[0] != verdicts[1]:
            unsupported += 1
        elif verdicts[0] != verdicts[1]:
            said = " and ".join(", ".join(pair) for pair in verdicts)
            why = [each.summary for record in (one[key], other[key]) for each in record.findings]
            lines.append(f"{' '.join(map(str, key))}: {said} ({'; '.join(why)})")
    return lines, unsupported


def main(arguments: Sequence[str]) -> int:
    one, other = map(read, arguments)
    lines, unsupported = differences(one, other)
    print(*lines, sep="\n", end="\n" if lines else "")
    both = len(one.keys() & other.keys())
    print(f"{both} playings: {len(lines)} differ; {unsupported} more are UNSUPPORTED on one side")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
