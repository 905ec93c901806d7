"""TCP servers that differ in one thing only: how they wait for input and output."""
