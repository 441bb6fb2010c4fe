"""The network as a process, between a device and two servers of our own."""
