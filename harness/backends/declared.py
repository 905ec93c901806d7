"""What each backend can do, as `docs/backends.md` shows it.

`Backend.missing()` tells what is missing on this machine; here is what holds on every one. A test
holds the two together: nothing may be missing that is not declared conditional or absent here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from iolab.harness.backends.base import NEEDS


@dataclass(frozen=True)
class Declaration:
    """One backend: in words, and which of NEEDS it meets on a condition, or never."""

    name: str
    node: str
    takes: str
    subject: str
    addresses: str
    dies_by: str
    conditions: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    leaves_out: Sequence[str] = ()


_GROUPS = "control groups: as root, or in a delegated one (`systemd-run --user -p Delegate=yes`)"
_SHARED = "the processes share the machine's own network, whose packets are not ours to touch"
_PLAIN = "the subject is a plain process, in no control group of its own"

DOCKER = Declaration(
    name="docker",
    node="a container",
    takes="a Docker Engine, 20.10 or newer; it may be on another machine",
    subject="`command` in our image, or any `image`",
    addresses="a subnet for each lab, IPv4 and IPv6",
    dies_by="labels, and a watchdog process that removes what bears the dead run's",
    conditions={
        "wire": "an engine whose kernel has NFQUEUE",
        "capture": "an engine that grants NET_RAW",
        "memory-limit": "an engine with the memory cgroup",
        "cpu-limit": "an engine with CPU quotas",
    },
)

NAMESPACES = Declaration(
    name="namespaces",
    node="network, PID, mount, IPC and UTS namespaces, on the machine's own files, read-only",
    takes="Linux that lets root, or anybody, make namespaces; no engine, no `ip`, no image",
    subject="`command`, of what is installed on the machine",
    addresses="the same subnet in each lab, as no two ever meet; IPv4 and IPv6",
    dies_by="a PID namespace whose first process ends with the run's main process",
    conditions={
        "wire": "the package iptables, and a kernel with NFQUEUE",
        "memory-limit": _GROUPS,
        "cpu-limit": _GROUPS,
    },
    leaves_out=(
        "The subject stays the user of the harness unless that is root: only one user is mapped.",
        "Without a memory control group, what bounds the subject's memory is the machine's.",
        "Before Linux 5.12 the files are not read-only, and the run says so.",
    ),
)

PROCESSES = Declaration(
    name="processes",
    node="processes with an address of their own in 127.0.0.0/8; over IPv6 all share ::1",
    takes="Linux and Python, no privilege at all",
    subject="`command`; without `{host}` and `{port}` in it, one lab at a time on the machine",
    addresses="a free port for each lab, below the ephemeral range",
    dies_by="pipes that end with the run's main process, subreapers that kill what descends "
    "from them",
    absent={
        "wire": _SHARED,
        "capture": _SHARED,
        "cable": "the processes share the machine's loopback device: there is no cable to pull",
        "memory-limit": _PLAIN,
        "cpu-limit": _PLAIN,
    },
    leaves_out=(
        "Nothing is hidden from the subject: it sees the machine's processes and may write where "
        "the user of the harness may.",
        "With both address families at once it is told to listen on every address (`::`), those "
        "of the machine's network included.",
    ),
)

ALL = (DOCKER, NAMESPACES, PROCESSES)


def page(needs_of: Mapping[str, Sequence[str]], all_of: Sequence[Declaration] = ALL) -> str:
    """The text of `docs/backends.md`; `needs_of` has the NEEDS of each scenario, by its id."""
    names = [declaration.name for declaration in all_of]
    about = [
        ("a node is", [declaration.node for declaration in all_of]),
        ("takes", [declaration.takes for declaration in all_of]),
        ("the subject is", [declaration.subject for declaration in all_of]),
        ("addresses", [declaration.addresses for declaration in all_of]),
        ("dies with the run by", [declaration.dies_by for declaration in all_of]),
    ]
    able = [
        (f"`{need.name}`: {need.what}", [_meets(declaration, need.name) for declaration in all_of])
        for need in NEEDS.values()
    ]
    return "\n".join(
        [
            "# Backends",
            "",
            "<!-- Made from harness/backends/declared.py by `python -m iolab docs`. -->",
            "",
            "A backend is where labs run. `--backend` and `BACKEND=` choose one; the default "
            "`auto` takes the first of these that works here, and says in one line which and why "
            "not a better one. Whether it works is tried by doing what a lab does; a Docker Engine "
            "that answers, and for which no image can be had, is passed over like one that does "
            "not. IPv6 takes an engine that makes such networks; on `processes`, the address ::1.",
            "",
            *_table(["", *names], about),
            "",
            "## What can be done to a lab",
            "",
            "A scenario that needs what its backend lacks is `UNSUPPORTED`, with the reason.",
            "",
            *_table(["", *names], able),
            "",
            "## What each leaves out",
            *(line for declaration in all_of for line in _left_out(declaration, needs_of)),
            "",
        ]
    )


def _meets(declaration: Declaration, need: str) -> str:
    if need in declaration.absent:
        return f"no: {declaration.absent[need]}"
    if need in declaration.conditions:
        return f"with {declaration.conditions[need]}"
    return "yes"


def _left_out(declaration: Declaration, needs_of: Mapping[str, Sequence[str]]) -> list[str]:
    never = sorted(id for id, needs in needs_of.items() if set(needs) & set(declaration.absent))
    lines = ["", f"**{declaration.name}**", ""]
    lines += [f"- {sentence}" for sentence in declaration.leaves_out]
    if never:
        lines.append(f"- It never plays {', '.join(f'`{id}`' for id in never)}.")
    if not declaration.leaves_out and not never:
        lines.append("- Nothing.")
    return lines


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    lines = [list(head), ["---"] * len(head), *([first, *cells] for first, cells in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]
