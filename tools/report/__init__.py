"""What a run's stored results mean: read, counted, and written down for people."""
