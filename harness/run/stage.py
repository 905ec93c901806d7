"""Plays scenarios: what is played, how often it is tried, and how it ended.

A playing that ends UNKNOWN is played again in a fresh lab, at most twice; every attempt is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import to_builtins

from iolab.harness.backends.base import Backend
from iolab.harness.judge import Judgement, Level, judge
from iolab.harness.lab.lab import Lab
from iolab.harness.record.kinds import Header
from iolab.harness.record.recorder import Recorder
from iolab.harness.report.outcome import Outcome
from iolab.harness.run.attempt import Attempt
from iolab.harness.scenarios.playing import Playing

ATTEMPTS = 3


class Stage:
    """Where scenarios are played: one backend, one folder of observations.

    `keep` is called with a lab in which something failed, while it still stands.
    """

    def __init__(
        self,
        backend: Backend,
        folder: Path,
        *,
        pcap: bool = False,
        keep: Callable[[Judgement, Lab], None] | None = None,
    ) -> None:
        self.backend = backend
        self.folder = folder
        self.pcap = pcap
        self._keep = keep

    def play(self, playing: Playing) -> Outcome:
        """Play it until it is known how it ends, at most ATTEMPTS times."""
        begun = time.monotonic()
        attempts: list[Judgement] = []
        files: list[Path] = []
        while True:
            number = f".{len(attempts) + 1}" if attempts else ""
            path = self.folder / f"{playing.slug}{number}.ndjson"
            recorder = Recorder(path)
            recorder.add(self._header(playing))
            try:
                attempts.append(self._attempt(playing, recorder))
            finally:
                recorder.close()
            files.append(path)
            if attempts[-1].level is not Level.UNKNOWN or len(attempts) == ATTEMPTS:
                break
        return Outcome(playing, tuple(attempts), tuple(files), time.monotonic() - begun)

    def _attempt(self, playing: Playing, recorder: Recorder) -> Judgement:
        sees_packets = "capture" not in self.backend.missing()
        nodes = self.backend.open_lab(playing.subject, (playing.family,))
        try:
            attempt = Attempt(playing, nodes, recorder, sees_packets=sees_packets)
            try:
                attempt.run()
                judgement = judge(recorder.records())
                failed = judgement.level in (Level.FAILED, Level.UNKNOWN)
                if sees_packets and recorder.path and (failed or self.pcap):
                    recorder.path.parent.mkdir(parents=True, exist_ok=True)
                    recorder.path.with_suffix(".pcapng").write_bytes(attempt.lab.probe.pcap())
                if failed and self._keep is not None:
                    self._keep(judgement, attempt.lab)
            finally:
                attempt.close()
        finally:
            nodes.close()
        return judgement

    def _header(self, playing: Playing) -> Header:
        promises = to_builtins(playing.subject.promises).items()
        return Header(
            id=playing.scenario.id,
            label=playing.label,
            title=playing.scenario.title,
            expects=playing.scenario.expects,
            case=playing.case,
            quiet=playing.quiet,
            family=playing.family,
            backend=self.backend.name,
            subject=playing.subject.name,
            promises={name: value for name, value in promises if value is not None},
            names_restless=playing.scenario.names_restless,
            names_slow=playing.scenario.names_slow,
        )
