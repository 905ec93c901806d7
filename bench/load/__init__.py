"""Load clients: what asks the contestants, and what it saw."""
