"""Measures the suite's power: runs it on mutants of the studio, which it must find, and on controls, which it must not."""
