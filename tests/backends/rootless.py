"""A lab with an echo and a wire rule, run by a test as an unprivileged user. Prints JSON."""

from __future__ import annotations

import json

from iolab.harness.backends import identity
from iolab.harness.backends.base import BackendUnavailable
from iolab.harness.backends.channel import Channel
from iolab.harness.backends.namespaces.backend import Namespaces
from tests.backends.subjects import ECHO, python
from tests.waiting import PATIENCE_S

TALK = """
    import socket, sys
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as server:
        server.sendall(b"hello\\n")
        print(server.recv(1000).decode(), end="", flush=True)
"""


def main() -> None:
    backend = Namespaces(identity.new_id())
    try:
        backend.check()
    except BackendUnavailable as reason:
        raise SystemExit(f"an unprivileged user may not: {reason}") from None
    lab = backend.open_lab(ECHO)
    probe = Channel("probe", lab.pod.start_probe())
    lab.pod.start_subject(probe)
    probe.request("wait", condition={"listening": lab.pod.port}, within_s=PATIENCE_S)
    node = lab.client("talker")
    node.unplug()
    node.plug()
    target = (lab.pod.addresses[4], str(lab.pod.port))
    echo = node.spawn(python(TALK, *target)).read()[1].decode()
    rule = {"port": lab.pod.port, "direction": "both", "action": "drop"}
    number = probe.request("rule-add", rule=rule)["rule"]
    removed = probe.request("rule-remove", rule=number)
    probe.close()
    lab.close()
    missing = sorted(backend.missing())
    backend.close()
    answers = {
        "echo": echo,
        "rule": {name: removed[name] for name in ("matched", "taken")},
        "missing": missing,
        "left": list(backend.leftovers()),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
