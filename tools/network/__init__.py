"""The network between the parts of the system, as a process of its own."""
