"""One attempt at a scenario in one lab: bystanders, baseline, rounds, what must hold after each."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from iolab.harness.backends.base import BackendError, LabNodes
from iolab.harness.backends.channel import ChannelError, Refused
from iolab.harness.judge.cleanup import MEMORY_NOISE
from iolab.harness.lab.bounds import AT_ONCE_S, LEEWAY_S
from iolab.harness.lab.bystanders import NODE
from iolab.harness.lab.clients import Group
from iolab.harness.lab.fault import Unproven
from iolab.harness.lab.lab import Lab
from iolab.harness.lab.probe import FOLLOW_WITHIN_S
from iolab.harness.lab.steps import ask, close, connect
from iolab.harness.places import ROOT
from iolab.harness.record import kinds
from iolab.harness.record.recorder import Recorder

if TYPE_CHECKING:
    from iolab.harness.scenarios.playing import Playing

# What a lab that cannot go on raises.
BROKEN = (ChannelError, BackendError, OSError)

# The field that the probe's refusal names when the subject's command cannot be started.
COMMAND = "argv"

# Memory that grows is looked at for so many rounds at the most.
MOST_ROUNDS = 10

# How long a fresh client waits, after the round, to be connected and answered.
SERVICE_WITHIN_S = 5.0

# How many packets of each client go into the observations.
PACKETS_KEPT = 3_000

# How often it is looked whether a subject that does not listen yet has ended instead.
START_LOOK_S = 0.5

# A silence beyond this share of the promised idle timeout may end the holder's connection.
SILENCE_ALLOWED = 0.5


class Attempt:
    """Plays and records; what goes wrong on the way is recorded too, never raised.

    Between `run` and `close` the lab still stands, with its packets.
    """

    def __init__(
        self, playing: Playing, nodes: LabNodes, recorder: Recorder, *, sees_packets: bool
    ) -> None:
        self.playing = playing
        self.sees_packets = sees_packets
        self._sizes: list[int] = []
        self._left: list[kinds.Left] = []
        by_nature = playing.by_nature
        self.lab = Lab(
            nodes,
            playing.subject,
            playing.family,
            recorder,
            quiet=playing.quiet,
            case=playing.scenario.cases[playing.case],
            scale=playing.scale,
            faults=playing.scenario.faults,
            others_wait=by_nature is not None and by_nature[0] == "reply",
        )

    def run(self) -> None:
        """From the subject's start to its last words."""
        lab = self.lab
        try:
            if self._starts():
                self._play_rounds()
        except Unproven as error:
            lab.record(kinds.NotShown(reason=str(error)))
        except BROKEN as error:
            lab.record(kinds.Aborted(error=str(error)))
        finally:
            self._last_words()

    def close(self) -> None:
        """End the agents and the probe."""
        self._put_on_record(self.lab.close)

    def _starts(self) -> bool:
        """Whether the subject listens in time; no connection is made to find out."""
        within = self.playing.subject.start_s
        try:
            process = self.lab.life.start()
        except Refused as refused:
            if refused.answer.get("field") != COMMAND:
                raise
            self.lab.record(kinds.Unstartable(error=str(refused.answer["error"])))
            self._look_for_files()
            return False
        # Meanwhile the first clients come up.
        for name in (NODE, "actors"):
            self.lab.client(name)
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.lab.probe.sees({"listening": self.lab.port}, START_LOOK_S):
                return self._is_reachable()
            if process.wait(0) is not None:
                self._look_for_files()
                self._await_background()
                return False
        self.lab.record(kinds.Deaf(within_s=within, port=self.lab.port, elsewhere=False))
        return False

    def _look_for_files(self) -> None:
        """Put on record which files of its command are not where it runs."""
        words = self.playing.subject.astray(ROOT)
        if words:
            self.lab.record(kinds.Astray(words=list(words), folder=str(ROOT)))

    def _await_background(self) -> None:
        """What the subject has left behind may take a moment until it listens."""
        probe = self.lab.probe
        if not probe.sees({"exited": {}}, FOLLOW_WITHIN_S):
            probe.sees({"listening": self.lab.port}, FOLLOW_WITHIN_S)

    def _is_reachable(self) -> bool:
        """Whether it listens where its clients look for it, and not on loopback alone."""
        host, port = self.lab.target
        there = {"listening": {"port": port, "address": host}}
        if self.lab.probe.sees(there, AT_ONCE_S):
            return True
        self.lab.record(kinds.Deaf(within_s=AT_ONCE_S, port=port, elsewhere=True))
        return False

    def _play_rounds(self) -> None:
        lab = self.lab
        lab.bystanders.gather()
        if lab.life.has_ended():
            return
        number = 0
        while number < self.playing.scenario.rounds or self._grows(number):
            number += 1
            lab.round, lab.triggered = number, False
            self.playing.scenario.body(lab)
            if lab.life.is_over:
                return
            clean = self._settle()
            lab.bystanders.resume()
            if not clean:  # what is left grows with each round, and says nothing new
                break
        lab.look_at_cpu("after the scenario")

    def _grows(self, rounds: int) -> bool:
        """Whether memory has grown in the last two rounds, so that more must show if it ever stops.

        A runtime that collects its garbage grows for a while before it does so.
        """
        first, second, third = self._sizes[-3:] if len(self._sizes) >= 3 else (0, 0, 0)
        return rounds < MOST_ROUNDS and min(third - second, second - first) > MEMORY_NOISE

    def _settle(self) -> bool:
        """The round is over: service goes on, and whether nothing is left but the bystanders."""
        lab = self.lab
        promise = lab.promises.idle_timeout_s
        if promise is not None and lab.bystanders.silent_for() > SILENCE_ALLOWED * promise:
            lab.bystanders.let_holder_go()
        lab.bystanders.resume()
        after = lab.play(
            "after", connect(within_s=SERVICE_WITHIN_S), ask("and now?"), close(), client=NODE
        )
        after.ended(within_s=2 * SERVICE_WITHIN_S)
        for fault in reversed(tuple(lab.faults)):
            lab.heal(fault)
        self._drop_scripts()
        lab.bystanders.pause()
        condition = lab.only_bystanders()
        held = lab.probe.sees(condition, AT_ONCE_S + LEEWAY_S)
        label = f"round {lab.round}"
        snapshot = lab.probe.snapshot(label)
        self._sizes.append(snapshot.rss)
        lab.record(
            kinds.Settled(
                label=label,
                held=held,
                connections=sum(g.count for g in lab.groups.values() if g.round == lab.round),
                peers=condition["only"]["peers"],
                inodes=condition["only"]["inodes"],
            )
        )
        return held

    def _last_words(self) -> None:
        """Whatever was broken is whole again, and everybody tells how it fared."""
        lab = self.lab
        # Faults first: behind one that a broken scenario has left, the bystanders would wait.
        for fault in reversed(tuple(lab.faults)):
            self._put_on_record(partial(lab.heal, fault))
        self._put_on_record(lab.bystanders.leave)
        self._put_on_record(self._collect)
        if self.sees_packets:
            self._put_on_record(self._collect_packets)
        self._put_on_record(self._look_behind)
        self._put_on_record(self._end)

    def _collect(self) -> None:
        """Put every connection's report on record; an agent that is dead takes no other's along."""
        dead = []
        for client in self.lab.clients.values():
            try:
                client.channel.request("report")
            except ChannelError as error:
                dead.append(str(error))
        if dead:
            raise ChannelError("; ".join(dead))

    def _collect_packets(self) -> None:
        """Put the newest packets of each node with scripted clients on record, or of each client.

        A node of bystanders has many more, of which nobody asks.
        """
        lab = self.lab
        apart = [client for client in lab.clients.values() if client is not lab.bystanders.client]
        guests = [group for group in self._scripts() if group.client not in apart]
        places = [client.address for client in apart]
        for place in places + [peer for group in guests for peer in group.peers()]:
            lab.probe.request("packets", peer=place, last=PACKETS_KEPT)

    def _drop_scripts(self) -> None:
        """Close what is left of the scripted connections, in an orderly way."""
        for group in self._scripts():
            group.drop()

    def _scripts(self) -> list[Group]:
        return [group for group in self.lab.groups.values() if group.scripted]

    def _look_behind(self) -> None:
        """Who has ended by itself may have left others behind."""
        if self.lab.life.has_ended() and not self.lab.life.is_over:
            self._left = self.lab.probe.left_behind()

    def _end(self) -> None:
        lab, process = self.lab, self.lab.life.process
        status = process.wait(0) if process else None
        if status is not None and not lab.life.is_over:
            lab.record(kinds.Death(status=status, left=tuple(self._left)))
        lab.record(kinds.End(status=status, log=list(process.log()) if process else []))

    def _put_on_record(self, act: Callable[[], object]) -> None:
        """A lab that broke must not hide what was seen in it before."""
        try:
            act()
        except Unproven as error:
            self.lab.record(kinds.NotShown(reason=str(error)))
        except BROKEN as error:
            self.lab.record(kinds.Aborted(error=str(error)))
