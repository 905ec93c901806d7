"""What a scenario's author uses: clients that play steps, the probe, proofs, faults, demands.

Everything done here is recorded; nothing is judged here. A method that waits returns whether it
held, and the judge reads the same from the records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from iolab.harness.backends.base import Family, LabNodes, Process
from iolab.harness.backends.channel import Channel, Message, Refused
from iolab.harness.lab.bounds import AT_ONCE, WORDS, Bound
from iolab.harness.lab.bystanders import BYSTANDERS, Bystanders
from iolab.harness.lab.clients import Client, Group
from iolab.harness.lab.fault import Fault, Seen, Unproven
from iolab.harness.lab.life import Life
from iolab.harness.lab.probe import ProbeHandle
from iolab.harness.lab.steps import Step, fitting, idle, unit
from iolab.harness.record import kinds
from iolab.harness.record.base import Address, Kind
from iolab.harness.record.kinds import Must
from iolab.harness.record.probe import Snapshot
from iolab.harness.record.recorder import Recorder
from iolab.harness.subject.manifest import Subject

# A subject that promises no largest message is asked for no more than this in one line.
MODEST_MESSAGE = 64 << 10

# The share of one core that a server with nothing to do may use, looked at over so long.
CALM_SHARE = 0.2
CALM_FOR_S = 0.1
CALM_WITHIN_S = 1.0

F = TypeVar("F", bound=Fault)

Condition = dict[str, Any]
"""What the probe is asked to see (`docs/protocol.md`)."""


class Lab:
    """One subject with its probe and clients, in one playing of a scenario."""

    def __init__(
        self,
        nodes: LabNodes,
        subject: Subject,
        family: Family,
        recorder: Recorder,
        *,
        quiet: bool,
        case: Any,
        scale: int,
        others_wait: bool,
        faults: tuple[type[Fault], ...] = (),
    ) -> None:
        """`faults`: the kinds that may be injected, as the scenario declares them."""
        self.nodes = nodes
        self.subject = subject
        self.promises = subject.promises
        self.family: Family = family
        self.recorder = recorder
        self.quiet = quiet
        self.case = case
        self.scale = scale
        self.round = 1
        self.triggered = False
        self.clients: dict[str, Client] = {}
        self.groups: dict[str, Group] = {}
        self.faults: list[Fault] = []
        self._declared = faults
        self._restless = False
        self.probe = ProbeHandle(self._channel("probe", nodes.pod.start_probe()), *self.target)
        self.life = Life(self)
        self.bystanders = Bystanders(self, must_wait=others_wait)
        self._known: dict[str, list[int]] = {}

    # The players

    def _channel(self, name: str, process: Process) -> Channel:
        channel = Channel(name, process, lambda *heard: self._hear(name, *heard))
        channel.ready()
        return channel

    def _hear(self, source: str, message: Message, line: bytes) -> None:
        self.recorder.hear(source, line)
        if message.get("event") == "waiting":
            # Called from the reader's thread of an agent: the answer is recorded when it comes.
            self.probe.look(f"{message['connection']} waits for its answer")

    def record(self, record: Kind) -> None:
        """Add a record of the lab's own, of this moment and this round."""
        record.round = self.round
        self.recorder.add(record)

    @property
    def target(self) -> Address:
        """Where the subject is reached."""
        return self.nodes.pod.addresses[self.family], self.nodes.pod.port

    @property
    def port(self) -> int:
        return self.nodes.pod.port

    def client(self, name: str = "actors") -> Client:
        """The client of that name; its node and agent start on first use."""
        if name not in self.clients:
            node = self.nodes.client(name)
            process = node.spawn(["python3", "-m", "iolab.client", "agent"])
            self.clients[name] = Client(
                name, node, self.family, process, self._channel(name, process)
            )
        return self.clients[name]

    def play(
        self,
        name: str,
        *steps: Step,
        count: int = 1,
        must: Must = "served",
        owed: int = 0,
        client: str = "actors",
        log: bool = True,
        bind: Address | None = None,
    ) -> Group:
        """Let `count` connections play the steps; returns at once.

        `must` is what the judge demands of their replies: `served` (every step succeeds),
        `promptly` (each request within the bound of bystanders, whatever is done to others),
        `served-or-refused` (or they are turned away clearly: never left hanging),
        `in-turn-or-refused` (or they are left to wait, where more come than are promised to be
        served at once) or `nothing` (the scenario cuts them off itself). Wrong bytes are wrong in
        all of them, but for a refusal's words in place of the first reply where one is allowed.
        `ended` is `served`, where the steps expect an end by the server: better by a FIN than by a
        reset, and after at least `owed` replies.

        What is longer than `largest` is said in several messages, unless it is to be refused.
        """
        if self.round > 1:
            name = f"{name}@{self.round}"
        agent = self.client(client)
        said = fitting(steps, self.largest)
        scripted = must != "promptly"
        group = Group(self, agent, name, count, scripted=scripted, unit=unit(said))
        self.groups[name] = group
        self.record(kinds.Group(group=name, must=must, owed=owed, count=count, client=client))
        agent.channel.request(
            "play",
            group=name,
            script={"title": name, "step": said},
            target=self.target,
            bind=bind or agent.address,
            count=count,
            log=log,
        )
        return group

    def forget_client(self, name: str) -> None:
        """The client's agent is dead: nobody can be asked about its connections any more."""
        client = self.clients.pop(name)
        self.groups = {n: g for n, g in self.groups.items() if g.client is not client}

    # The kernel's truth

    def inodes_of_group(self, group: Group) -> list[int]:
        """The identities of its sockets in the subject, as read at the trigger."""
        return self._known.get(group.name, [])

    def let_pass(self, seconds: float) -> None:
        """Time goes by, as the clock of a client's agent has it."""
        name = f"clock {len(self.groups)}"
        self.play(name, idle(seconds), must="nothing").ended(within_s=seconds + 5)

    # Proofs and faults

    def prove(self, claim: str, held: bool, seen: object = None) -> None:
        """Put on record that a circumstance held; Unproven when it did not."""
        self.record(kinds.Proof(claim=claim, held=held, seen=seen))
        if not held:
            raise Unproven(f"{claim}: not seen to hold" + (f" ({seen})" if seen else ""))

    def prove_by(self, claim: str, condition: Mapping[str, Any], within_s: float = 5.0) -> None:
        """Prove a circumstance by a condition that the probe sees hold in time."""
        self.prove(claim, self.probe.sees(condition, within_s), dict(condition))

    def inject(self, fault: F) -> F:
        """Bring the fault about; returns once it was observed to hold.

        TypeError for one of a kind that the scenario does not declare: its needs were not asked.
        """
        if not isinstance(fault, self._declared):
            raise TypeError(f"the scenario does not declare the fault {fault.name}")
        seen = fault.inject(self)
        self.faults.append(fault)
        self._put_on_record(fault, "inject", seen)
        return fault

    def heal(self, fault: Fault) -> None:
        """Take the fault away; returns once it was observed to be gone."""
        self.faults.remove(fault)
        seen = fault.heal(self)
        self._put_on_record(fault, "heal", seen)

    def _put_on_record(self, fault: Fault, phase: Literal["inject", "heal"], seen: Seen) -> None:
        record = kinds.FaultPhase(fault=fault.name, phase=phase, fields=fault.fields(), seen=seen)
        self.record(record)

    # Demands

    def hush(self) -> None:
        """In a quiet playing the bystanders fall silent.

        To be asked for before the subject is stopped: in the middle of a request they could not.
        """
        if self.quiet:
            self.bystanders.pause()

    def trigger(self, *groups: Group) -> float:
        """From here on the subject must act on these groups; says when that began.

        Their sockets' identities are read now, while they are alive. In a quiet playing the
        bystanders fall silent first.
        """
        self.hush()
        snapshot = self.probe.snapshot("trigger")
        inodes = {row.peer: row.inode for row in snapshot.sockets if row.peer}
        for group in groups:
            found = (inodes.get(peer, 0) for peer in group.peers())
            self._known[group.name] = [inode for inode in found if inode]
        self.triggered = True
        self.record(kinds.Trigger(groups=[group.name for group in groups]))
        return snapshot.t

    def note_owed(self, group: Group) -> None:
        """Put on record how many replies its connections are owed: whole messages that were read.

        What lies unread in a socket was not accepted yet, and nobody owes a reply to it.
        """
        rows = {row.peer: row for row in self.probe.snapshot("owed").sockets if row.peer}
        read = {peer: rows[peer].bytes_read if peer in rows else 0 for peer in group.peers()}
        owed = [(peer, count // group.unit) for peer, count in read.items()]
        self.record(kinds.Owed(group=group.name, replies=owed))

    def expect_removed(self, *groups: Group, by: Bound = AT_ONCE) -> bool:
        """The subject must let go of every connection of the groups by then."""
        gone = self.gone(*groups)["gone"]
        return self.expect_gone(gone["peers"], gone["inodes"], by=by)

    def expect_gone(
        self,
        peers: Sequence[Address],
        inodes: Iterable[int],
        *,
        by: Bound = AT_ONCE,
    ) -> bool:
        """The same for connections given by their peers' addresses and their inodes."""
        inodes = list(inodes)
        condition = {"gone": {"port": self.port, "peers": list(peers), "inodes": inodes}}
        held = self.probe.sees(condition, by.within_s)
        self.record(
            kinds.Removal(
                peers=list(peers),
                inodes=inodes,
                within_s=by.within_s,
                promise=by.words,
                held=held,
                late=None if held else self.probe.sees_late(condition, by.within_s),
            )
        )
        return held

    def gone(self, *groups: Group) -> Condition:
        """The condition that the subject has let go of every connection of the groups."""
        peers = [peer for group in groups for peer in group.peers()]
        inodes = [inode for group in groups for inode in self._known.get(group.name, ())]
        return {"gone": {"port": self.port, "peers": peers, "inodes": inodes}}

    def policy(self, of_what: str, seen: str) -> None:
        """A choice that is the subject's own: reported, not judged."""
        self.record(kinds.Policy(of_what=of_what, seen=seen))

    def promised(self, name: str) -> Bound:
        """A time that the subject promises; the scenario names it among its `promises`.

        Raises ValueError when the manifest does not have it.
        """
        seconds = getattr(self.promises, name)
        if seconds is None:
            raise ValueError(f"{name} is not promised, and no scenario may ask for it")
        return Bound(seconds, f"{WORDS[name]} {seconds:g} s")

    @property
    def largest(self) -> int:
        """The largest message that may be asked of the subject, in bytes."""
        return self.promises.max_message or MODEST_MESSAGE

    def several(self, number: int) -> int:
        """So many connections, or as many as the subject can serve beside its bystanders."""
        most = self.promises.max_connections
        if most is None:
            return number
        return max(1, min(number, most - BYSTANDERS))

    def turnover(self, connections: int) -> None:
        """So many connections come and go in this round, if not one for each script."""
        self.record(kinds.Turnover(connections=connections))

    def look_at_cpu(self, when: str) -> None:
        """With nobody speaking the subject must rest, as it did before the scenario.

        A subject that never rests is for `resource.idle-cpu` to name, once: here it is only seen
        whether it does worse than at first.
        """
        if self._restless:
            return
        resting = self.bystanders.pause()
        held = self.expect_calm(when, for_s=CALM_FOR_S, at_most=CALM_SHARE, within_s=CALM_WITHIN_S)
        self._restless = not held
        self.bystanders.resume(resting)

    def expect_calm(self, when: str, *, for_s: float, at_most: float, within_s: float) -> bool:
        """The subject must use at most such a share of a CPU over so long, in time."""
        condition = {"idle": {"for_s": for_s, "cpu_share_at_most": at_most}}
        held, seen = True, None
        try:
            self.probe.request("wait", condition=condition, within_s=within_s)
        except Refused as refused:
            if not refused.timed_out:
                raise
            held, seen = False, str(refused)
        self.record(kinds.Calm(when=when, held=held, seen=seen))
        return held

    def expect_rested(self, before: tuple[float, float], when: str) -> None:
        """Since `before`, an earlier `cpu_used`, it must have used no more CPU than at rest."""
        begun, used = before
        now, used_now = self.probe.cpu_used()
        share = (used_now - used) / (now - begun)
        seen = f"{share:.2f} of a CPU over {now - begun:.1f} s"
        if not self._restless:
            self.record(kinds.Calm(when=when, held=share <= CALM_SHARE, seen=seen))

    def expect_bounded_memory(self, before: int, *, offered: int, allowed: int, how: str) -> None:
        """Resident memory, `before` bytes once, may have grown by no more than `allowed`."""
        grown = self.probe.resident() - before
        self.record(
            kinds.Growth(before=before, grown=grown, offered=offered, allowed=allowed, how=how)
        )

    def close(self) -> None:
        """End the agents and the probe."""
        for client in self.clients.values():
            client.channel.close()
        self.probe.channel.close()

    def only_bystanders(self) -> Condition:
        """The condition that the subject holds no connection but those of its bystanders."""
        baseline = self.bystanders.baseline
        return {
            "only": {
                "port": self.port,
                "peers": self.bystanders.peers(),
                "inodes": sorted(inodes_of(baseline)) if baseline else [],
            }
        }


def inodes_of(snapshot: Snapshot) -> set[int]:
    """The sockets behind the descriptors of the subject's processes."""
    return {inode for _, _, inode in snapshot.held()}
