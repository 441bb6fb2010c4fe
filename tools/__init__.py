"""The tools: command line, generator, reporting, the reference studio, mutants and self-tests."""
