"""What the two backends without an engine share: processes forked from one warm interpreter."""
