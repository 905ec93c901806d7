"""The clients of iolab: scripts as data, players, the agent, and a prompt for people."""
