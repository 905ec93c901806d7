"""What each step of a script does: those that run it, that send, and that receive."""
