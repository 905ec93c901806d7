"""`python -m iolab COMMAND …`, as the command `iolab` does it."""

import sys

from iolab.harness.cli.main import command

if __name__ == "__main__":
    sys.exit(command())
