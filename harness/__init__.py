"""The pytest harness: labs, faults, the probe, the wire and the judge."""
