"""What stands between the probe and the subject: be the subject, and no more.

The probe starts the subject, and has to be able to do more than the subject may. So what it starts
is this: it enters the subject's control groups, becomes its user, drops capabilities for good, and
then becomes the command, under the same PID.

Every start of a subject waits for it, so it imports as little as it can.
"""

from __future__ import annotations

import os
import signal
import sys

from iolab.harness.backends.local import linux

TYPE_CHECKING = False  # as typing's, which takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

_NOBODY_ELSE = "-"


def argv(
    command: Sequence[str],
    *,
    imported_from: str,
    cwd: str,
    user: tuple[int, int] | None,
    capabilities: int,
    cgroups: Sequence[str],
) -> list[str]:
    """The command line that confines `command`; `import iolab` finds us in `imported_from`."""
    # Neither site-packages, nor variables that are meant for the subject, nor runpy.
    program = f"import sys; sys.path.append({imported_from!r}); from {__name__} import main; main()"
    who = _NOBODY_ELSE if user is None else "{}:{}".format(*user)
    itself = [sys.executable, "-I", "-S", "-c", program]
    return [*itself, cwd, who, str(capabilities), os.pathsep.join(cgroups), *command]


def main() -> NoReturn:
    """Confine this process, and become the command."""
    cwd, who, capabilities, cgroups, *command = sys.argv[1:]
    try:
        _confine(who, int(capabilities), list(filter(None, cgroups.split(os.pathsep))))
    except OSError as error:
        sys.exit(f"{command[0]}: cannot be confined: {error}")
    # Python ignores SIGPIPE; the commands that it becomes do not expect that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.chdir(cwd)
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: cannot be run: {error}")


def _confine(who: str, keep: int, cgroups: Sequence[str]) -> None:
    for folder in cgroups:
        with open(f"{folder}/cgroup.procs", "w") as processes:
            processes.write("0")  # the writer
    linux.bound_capabilities(keep)
    if who != _NOBODY_ELSE:
        uid, gid = map(int, who.split(":"))
        linux.prctl(linux.PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    linux.set_capabilities(keep)
    for number in range(keep.bit_length()):
        if keep >> number & 1:
            linux.prctl(linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_RAISE, number)
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
