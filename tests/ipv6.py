"""What a test needs that uses IPv6: not every machine has it, and most containers have not."""

from __future__ import annotations

import pytest

from iolab.harness.backends.processes.ports import why_no_ipv6

needs_ipv6 = pytest.mark.skipif(why_no_ipv6() is not None, reason=str(why_no_ipv6()))

IPV6_LOOPBACK = pytest.param("::1", marks=needs_ipv6)
IPV6_ANY = pytest.param("::", marks=needs_ipv6)
