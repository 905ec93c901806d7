"""The contract of a backend: where nodes run, and what can be done to them from outside.

A backend builds labs. A lab is one network with a pod (the node in which the subject runs beside
its probe, sharing network and PID namespaces) and client nodes. Everything a backend makes carries
the run's id, dies with the run's main process, and is found by `Backend.leftovers`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from iolab.harness.backends.channel import Channel
    from iolab.harness.subject.manifest import Subject

Family = Literal[4, 6]
Stream = Literal["stdout", "stderr"]


class BackendError(Exception):
    """The backend could not do what it was asked; the message is one line."""


class BackendUnavailable(BackendError):
    """This machine cannot run the backend; the message is one line that says what to change."""


@dataclass(frozen=True)
class Need:
    """Something a fault or scenario needs of a backend, by name (`Backend.missing`)."""

    name: str
    what: str


NEEDS = {
    need.name: need
    for need in (
        Need("wire", "packets held, dropped and doubled in the probe's node (NET_ADMIN, iptables)"),
        Need("capture", "packets of the subject's network seen passively (NET_RAW)"),
        Need("cable", "a node unplugged from the network"),
        Need("memory-limit", "a memory cgroup of the subject's own"),
        Need("cpu-limit", "a CPU cgroup of the subject's own"),
        Need("descriptor-limit", "RLIMIT_NOFILE of the running subject"),
    )
}


class Process(ABC):
    """A process in a node, its standard streams as pipes."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Give bytes to its standard input; BrokenPipeError when it has ended."""

    @abstractmethod
    def close_input(self) -> None:
        """End of its standard input."""

    @abstractmethod
    def read(self) -> tuple[Stream, bytes]:
        """The next piece of output, blocking; `("stdout", b"")` once everything has been read."""

    @abstractmethod
    def wait(self, within_s: float) -> int | None:
        """Its exit status (negative: killed by that signal), or None while it still runs."""

    @abstractmethod
    def signal(self, signal: str) -> None:
        """Send a signal by name ("SIGSTOP"); ProcessLookupError when the process has ended.

        SIGSTOP, SIGCONT and SIGKILL return when the process is seen stopped, running or dead.
        The node's kernel goes on all the same: it acknowledges for a stopped process, and ends
        the connections of a killed one in an orderly way.
        """


class SubjectProcess(ABC):
    """The running subject: what the backend alone knows of it. The probe knows its processes."""

    @abstractmethod
    def log(self) -> Sequence[tuple[float, Stream, str]]:
        """What it has printed so far: (`CLOCK_MONOTONIC` seconds, stream, line)."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Give bytes to its standard input."""

    @abstractmethod
    def hold_output(self, hold: bool) -> None:
        """Stop reading its output (the pipe fills, as behind a stuck log reader), or resume."""

    @abstractmethod
    def wait(self, within_s: float) -> int | None:
        """Exit status of the main process (negative: killed by that signal); None while it runs."""


class Node(ABC):
    """One container, one set of namespaces, or one process with a loopback address of its own."""

    name: str
    addresses: Mapping[Family, str]

    @abstractmethod
    def spawn(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        """Start a process in the node; `argv[0]` is looked up there."""

    @abstractmethod
    def unplug(self) -> None:
        """Pull the cable, silently; returns when the node's interface is seen gone or down."""

    @abstractmethod
    def plug(self) -> None:
        """Put the cable back; returns when the address is reachable again."""


class Pod(Node):
    """The node of the subject and its probe. It outlives the subject, to be restarted in place."""

    port: int

    @abstractmethod
    def start_subject(self, probe: Channel) -> SubjectProcess:
        """Start the subject's command; returns when its main process exists.

        `probe` is the channel to the probe in this pod: it is told `mark` before the start by
        backends whose engine starts the subject, and does the `spawn` itself in the others.
        """

    @abstractmethod
    def start_probe(self) -> Process:
        """Start `python -m iolab.harness.beside.probe` where it sees the subject's namespaces."""

    def spawn_as(self, argv: Sequence[str], user: str) -> Process:
        """Start a helper of the probe's in its node as another user, "UID:GID".

        Where the probe may become that user itself, nobody asks for it.
        """
        raise BackendError(f"{self.name}: a helper cannot be started as user {user} here")

    @abstractmethod
    def limit(self, *, memory: int | None = None, cpus: float | None = None) -> None:
        """Set live limits of the subject (not of the probe), in bytes and in CPUs; None lifts.

        Returns when the limit was read back.
        """

    @abstractmethod
    def tolerances(self) -> Sequence[str]:
        """What had to be loosened for this subject (user, writable, capabilities), in words."""


class LabNodes(ABC):
    """The nodes of one lab."""

    pod: Pod

    @abstractmethod
    def client(self, name: str) -> Node:
        """The client node of that name; made on first use."""

    def entrances(self) -> Sequence[str]:
        """Commands by which a person gets into the nodes of a lab that is kept, if any."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Remove the lab (or make it as new for the next one); returns when that was seen."""


class Backend(ABC):
    """Where labs run. One instance a process of the run; all share the run's id."""

    name: str
    run_id: str

    @abstractmethod
    def check(self) -> None:
        """Raise BackendUnavailable, naming the first step that failed, unless labs work here."""

    @abstractmethod
    def prepare(self) -> None:
        """What is done once a run, by its main process: images, watchdog, sweep of dead runs.

        Raises BackendError when that shows that labs do not work here.
        """

    @abstractmethod
    def missing(self) -> Mapping[str, str]:
        """Which of NEEDS this backend lacks on this machine, each with the reason."""

    def why_no_ipv6(self) -> str | None:
        """Why a lab can have no IPv6 addresses on this machine; None when it can."""
        return None

    def versions(self) -> Mapping[str, str]:
        """Versions of what its labs rest on beside the kernel, by name."""
        return {}

    @abstractmethod
    def open_lab(self, subject: Subject, families: Sequence[Family] = (4,)) -> LabNodes:
        """Build a lab whose pod is ready for `start_probe`."""

    @abstractmethod
    def close_labs(self) -> None:
        """Remove what this process made, of a run that others may still work on."""

    @abstractmethod
    def leftovers(self) -> Sequence[str]:
        """What this run still owns on the machine, each in words; empty when all is gone."""

    @abstractmethod
    def close(self) -> None:
        """Remove everything that this run still owns."""
