"""iolab, a laboratory for TCP servers.

The folders beside this file are links to the checkout's own, so that every file has the name in it
by which it is installed: `harness/lab/lab.py` is `iolab.harness.lab.lab`, and nothing else.
"""
