"""Send a signal to the process that an exec has started, and wait until its effect is seen.

Arguments: the mark in its environment (`NAME=VALUE`) and the signal's name. With a third argument
`child`, what bears the mark is a keeper, and the process is its child. Prints `gone` when there is
no such process, or what is wrong; nothing when all is well. The mark is needed because the engine
tells a process's pid only as its own host counts.
"""

import os
import signal
import sys
import time

WITHIN_S = 5.0
LOOK_EVERY_S = 0.002


def find(mark: bytes, child: bool) -> tuple[int, str]:
    """The process's pid and state; `(0, "gone")` when there is none.

    Its children carry the mark as well. But what an exec started has no parent in the container.
    """
    wanted = str(find(mark, False)[0]) if child else "0"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                state, parent = stat.read().rpartition(")")[2].split()[:2]
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if parent == wanted and mark in environ.read().split(b"\0"):
                    return int(pid), state
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return 0, "gone"


def has_effect(name: str, state: str) -> bool:
    """Whether a process in that state shows the signal's effect; True where none can be seen."""
    match name:
        case "SIGSTOP":
            return state == "T"
        case "SIGCONT":
            return state != "T"
        case "SIGKILL":
            return state == "gone"
    return True


def main(mark: bytes, name: str, child: bool) -> None:
    pid, state = find(mark, child)
    if state == "gone":
        sys.exit("gone")
    os.kill(pid, signal.Signals[name])
    deadline = time.monotonic() + WITHIN_S
    while not has_effect(name, state := find(mark, child)[1]):
        if time.monotonic() > deadline:
            sys.exit(f"after {WITHIN_S:g} s the state of process {pid} is still {state}")
        time.sleep(LOOK_EVERY_S)


if __name__ == "__main__":
    main(sys.argv[1].encode(), sys.argv[2], sys.argv[3:] == ["child"])
