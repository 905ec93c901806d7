"""Make a container as it was before the lab: prints what cannot be removed, and nothing when clean.

Argument: how many waiting processes there are, which stay: the oldest ones. With a second argument
`pod`, also remove the wire's rules and what the kernel still holds of connections. Elsewhere that
takes a right that we have not: it is counted.
"""

import os
import signal
import subprocess
import sys
import time

WITHIN_S = 5.0
LOOK_EVERY_S = 0.005

# Where the engine's resolver listens, which lives outside and shows in the pod's tables.
RESOLVER = "127.0.0.11"
RESOLVERS_TABLE = "nat"

# Each keeps a port from the next lab's clients for a minute, of 28 000.
MOST_IN_TIME_WAIT = 5_000

STARTED = 19  # of the fields that follow the command's name in /proc/PID/stat


def end_processes(waiters: int) -> None:
    """Kill all but the waiters and this process."""
    deadline = time.monotonic() + WITHIN_S
    while others := running()[waiters:]:
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            print(f"processes {others} do not end")
            return
        time.sleep(LOOK_EVERY_S)


def running() -> list[int]:
    """The pids of all others, the oldest first."""
    started = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if pid != os.getpid():
            started.append((int(fields[STARTED]), pid))
    return [pid for _, pid in sorted(started)]


def remove_rules() -> None:
    """Empty the wire's table, and look whether anything is left in another."""
    for tool in ("iptables", "ip6tables"):
        run(f"{tool}-restore", given="*mangle\nCOMMIT\n")
        table = ""
        for line in run(f"{tool}-save").splitlines():
            if line.startswith("*"):
                table = line[1:]
            # Chains have a line each, too, and comments say when it was.
            elif not line.startswith((":", "COMMIT", "#")) and table != RESOLVERS_TABLE:
                print(f"{tool} {table} {line}")


def end_connections() -> None:
    """Drop what outlives its processes: TIME-WAIT, and bytes for a peer that is gone.

    They would keep the port from a server without SO_REUSEADDR.
    """
    others = ("--no-header", "--tcp", "--all", "--numeric", "not", "src", RESOLVER)
    run("ss", "--kill", *others)
    print(run("ss", *others), end="")


def count_connections() -> None:
    """Say it when so many are in TIME-WAIT that the next lab could run out of ports."""
    with open("/proc/net/sockstat") as lines:
        tcp = next(line.split() for line in lines if line.startswith("TCP:"))
    waiting = int(tcp[tcp.index("tw") + 1])
    if waiting > MOST_IN_TIME_WAIT:
        print(f"{waiting} connections in TIME-WAIT")


def run(*command: str, given: str = "") -> str:
    """What it printed, errors included."""
    return subprocess.run(
        command,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    ).stdout


def main(waiters: int, pod: bool) -> None:
    end_processes(waiters)
    if pod:
        # A queue that nobody reads holds packets back: the rules go first.
        remove_rules()
        end_connections()
    else:
        count_connections()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] == ["pod"])
