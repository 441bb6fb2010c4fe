"""Measures the suite's power: mutants of the studio, which it must find, and controls, which it must not."""
