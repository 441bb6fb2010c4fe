"""The one exception for what a person can put right: a wrong file, a server that is down, a missing permission."""


class SuiteError(Exception):
    """The suite cannot do what was asked; the message says what is wrong and how to put it right (exit code 2)."""
