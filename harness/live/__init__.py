"""`make lab`: the lab of compose.yaml, built on any backend and shown live in the terminal."""
