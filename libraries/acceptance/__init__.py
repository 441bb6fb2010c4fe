"""The plain package behind the keyword libraries: no Robot Framework in here, so pytest can test it alone."""
