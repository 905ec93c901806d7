"""The process that holds a worker's namespaces: `python -m iolab.….namespaces.holder`.

Theory of operation. One holder a worker of the run makes every lab of that worker. It is two
processes. The outer one has just entered the user namespace (when not root), and waits. The inner
one is the first process of a PID namespace, and makes the labs:

    worker ─▶ outer ─▶ inner (PID 1) ─┬▶ init of a pod (PID 1 of its own) ─▶ probe ─▶ subject
                                      └▶ init of a client node ─▶ agent

Everything that a lab starts lives in PID namespaces below the inner holder's. When that one ends,
the kernel kills them all, and so there is exactly one life to end. It ends when its control socket
does (the worker is gone), when the run's main process does (watched by a pidfd, since a worker may
outlive it), or when the outer holder does (a pipe). The outer one is there to see that the kernel
has finished, and to remove the control groups, which alone would stay behind.

A node is made here, step by step: a network namespace, its cable, its addresses; then a fork into
a new PID namespace, in which the init does the rest. The holder enters each new network namespace
itself for as long as that takes; its own has nothing in it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from iolab.harness.backends.local import limits, linux, messages
from iolab.harness.backends.local.init import warm_up
from iolab.harness.backends.local.messages import Message
from iolab.harness.backends.local.serve import answering, serve
from iolab.harness.backends.namespaces import cgroup, node, steps
from iolab.harness.backends.namespaces.network import Network, keep_tables_small
from iolab.harness.backends.namespaces.steps import StepFailed, step

# With these no user namespace is needed.
_ROOT = linux.capability_set("SYS_ADMIN", "NET_ADMIN", "SETUID", "SETGID", "SETPCAP", "SYS_PTRACE")


def main() -> None:
    """The outer holder."""
    control = socket.socket(fileno=int(sys.argv[1]))
    run_ends, label = int(sys.argv[2]), sys.argv[3]
    warm_up()
    limits.apply()
    try:
        if linux.effective_capabilities() & _ROOT != _ROOT:
            _enter_user_namespace()
        with step(steps.NETWORK):
            linux.unshare(linux.CLONE_NEWNET)
        keep_tables_small()
        with step(steps.PID):
            linux.unshare(linux.CLONE_NEWPID)
        outer_ends, outer_lives = os.pipe()
        with step(steps.PID):
            inner = os.fork()
    except StepFailed as failure:
        messages.send(control, {"refused": str(failure)})
        return
    if inner == 0:
        os.close(outer_lives)
        _Holder(control).run([run_ends, outer_ends])
    control.close()
    os.close(run_ends)
    os.waitpid(inner, 0)
    cgroup.remove(label)


class _Holder:
    """The inner holder."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._networks: dict[int, Network] = {}

    def run(self, ends: list[int]) -> None:
        """Make labs until one of the ends comes, and end."""
        try:
            read_only = node.enter_read_only_root()
        except StepFailed as failure:
            messages.send(self._control, {"refused": str(failure)})
            os._exit(1)
        messages.send(self._control, {"ready": True, "read_only": read_only})
        ops = {
            "network": self._make_network,
            "node": self._make_node,
            "unplug": self._unplug,
            "plug": self._plug,
            "reach": self._reach,
            "close": self._close,
        }
        try:
            handle = answering(self._control, ops, (StepFailed, OSError))
            serve(self._control, handle, lambda pid, status: None, ends)
        except BrokenPipeError:
            pass  # the worker ended before it had its answer
        finally:
            os._exit(0)

    def _make_network(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        self._networks[request["lab"]] = Network()
        return {}, []

    def _make_node(self, request: Message, descriptors: list[int]) -> tuple[Message, list[int]]:
        """Fork the init of a node; the answer has its pidfd. It says itself when it is ready."""
        network = self._networks[request["lab"]]
        with (
            socket.socket(fileno=descriptors[0]) as control,
            network.attached(request["number"], request["families"]),
            step(steps.PID),
        ):
            linux.unshare(linux.CLONE_NEWPID)
            try:
                pid = os.fork()
                if pid == 0:
                    linux.close_all_but(control.fileno())
                    node.run(control, request)
            finally:
                # Whoever is forked next is not to be born into this node.
                ours = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
                linux.setns(ours, linux.CLONE_NEWPID)
                os.close(ours)
        return {}, [os.pidfd_open(pid)]

    def _unplug(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        self._networks[request["lab"]].unplug(request["number"])
        return {}, []

    def _plug(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        self._networks[request["lab"]].plug(request["number"])
        return {}, []

    def _reach(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        self._networks[request["lab"]].reach(request["number"])
        return {}, []

    def _close(self, request: Message, _: list[int]) -> tuple[Message, list[int]]:
        network = self._networks.pop(request["lab"], None)  # none, if it could not be made
        if network is not None:
            network.close()
        return {}, []


def _enter_user_namespace() -> None:
    """Be root, over what we make ourselves: our user alone is mapped, as an ordinary user may."""
    uid, gid = os.geteuid(), os.getegid()
    with step(steps.USER):
        linux.unshare(linux.CLONE_NEWUSER)
    with step(steps.MAPPING):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


if __name__ == "__main__":
    main()
