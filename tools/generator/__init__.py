"""Generates the cases: a covering selection of the test matrix, its JSON table, and the Robot Framework suites."""

from tools.generator.suites import write_suites
from tools.generator.table import generate, write_table

__all__ = ["generate", "write_suites", "write_table"]
