"""Labs in Docker containers, by the engine's API alone: the engine may be on another machine."""
