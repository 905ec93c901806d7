"""`python -m harness.backends.namespaces.confine SPEC COMMAND…`: be the subject, and no more.

The probe starts the subject, and has to be able to do more than the subject may. This stands
between: it enters the subject's control groups, becomes its user, drops capabilities for good, and
then becomes the command, under the same PID. SPEC is the JSON that `argv` makes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from harness.backends.local import linux


def argv(
    command: Sequence[str],
    *,
    cwd: str,
    user: tuple[int, int] | None,
    capabilities: int,
    cgroups: Sequence[str],
) -> list[str]:
    """The command line that confines `command`; to be started in the project's folder."""
    spec = {"cwd": cwd, "user": user, "capabilities": capabilities, "cgroups": list(cgroups)}
    # Without -S, a quarter of the lab's start would go into looking for installed packages.
    module = [sys.executable, "-S", "-m", "harness.backends.namespaces.confine"]
    return [*module, json.dumps(spec), *command]


def main() -> NoReturn:
    """Confine this process, and become the command."""
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    for folder in spec["cgroups"]:
        with open(f"{folder}/cgroup.procs", "w") as processes:
            processes.write("0")  # the writer
    keep = spec["capabilities"]
    linux.bound_capabilities(keep)
    if spec["user"]:
        uid, gid = spec["user"]
        linux.prctl(linux.PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    linux.set_capabilities(keep)
    for number in range(keep.bit_length()):
        if keep >> number & 1:
            linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_RAISE, number)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    # Python ignores SIGPIPE; the commands that it becomes do not expect that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.chdir(spec["cwd"])
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: cannot be run: {error}")


if __name__ == "__main__":
    main()
