"""What holds for all unit tests."""

from __future__ import annotations

import signal

# A shell without job control starts what it puts in the background with SIGINT ignored, and a
# child inherits that: the programs whose Ctrl-C is tested would never see it.
signal.signal(signal.SIGINT, signal.default_int_handler)
