"""The instruments: fault points and gates in a database, and what comes and goes with them."""
