"""The mutants and controls: each is what its head says."""
