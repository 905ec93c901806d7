"""The probe without a harness: for `docker compose up`, it says in plain lines what it sees.

It runs in the probe's image, so it needs the standard library and the probe alone. The probe itself
is a process below it, asked over a pipe as always (`docs/protocol.md`).
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

EVERY_S = 2.0

Record = Mapping[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Watch the server on the port that is given until SIGTERM; a line whenever it changed."""
    if len(arguments) != 1 or not arguments[0].isdecimal():
        print("usage: python -m iolab.harness.beside.probe.watch PORT", file=sys.stderr)
        return 2
    probe = subprocess.Popen(
        [sys.executable, "-m", "iolab.harness.beside.probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # Its input ends with this process, and so does it, whatever ends this process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        _watch(probe, int(arguments[0]))
    return 0


def _watch(probe: subprocess.Popen[str], port: int) -> None:
    last = ""
    # Whoever is here now is not the server, which starts after this.
    _ask(probe, 0, "mark")
    for number in range(1, sys.maxsize):
        line = _words(_ask(probe, number, "snapshot", port=port)["snapshot"])
        if line != last:
            print(line, flush=True)
            last = line
        time.sleep(EVERY_S)


def _ask(probe: subprocess.Popen[str], number: int, op: str, **fields: object) -> Record:
    assert probe.stdin is not None
    assert probe.stdout is not None
    probe.stdin.write(json.dumps({"id": number, "op": op, **fields}) + "\n")
    probe.stdin.flush()
    for line in probe.stdout:
        answer: Record = json.loads(line)
        if answer.get("id") == number:
            return answer
    raise SystemExit("the probe has ended")


def _words(snapshot: Record) -> str:
    """Connections by state, bytes in queues, and what the server's main thread waits in."""
    rows = [row for row in snapshot["sockets"] if row["state"] != "LISTEN"]
    states = Counter(row["state"] for row in rows)
    parts = [", ".join(f"{number} {state}" for state, number in sorted(states.items()))]
    waiting = sum(row["state"] == "ESTABLISHED" and not row["owners"] for row in rows)
    if waiting:
        parts.append(f"{waiting} not accepted")
    unsent = sum(row.get("send_q", 0) for row in rows)
    if unsent:
        parts.append(f"{unsent} bytes to send")
    for process in snapshot["processes"]:
        if process["pid"] == snapshot["main"] and isinstance(process["threads"], list):
            call = process["threads"][0]["syscall"]
            parts.append(f"server asleep in {call}" if call else "server running")
    return "; ".join(part for part in parts if part) or "nobody is connected"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
