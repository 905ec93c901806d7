"""Pictures of the IO models: recorded runs, and the drawings made of them."""
