"""The random lane: independent draws of programs, whose failures feed the bound on the failure rate."""
