"""How fast the suite is, beside the same cases without Robot Framework; see README.md in this folder."""
