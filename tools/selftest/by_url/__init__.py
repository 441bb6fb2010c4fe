"""A system by URL, as people have it."""
