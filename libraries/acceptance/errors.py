"""The one exception for what a person can put right: a wrong file, a server that is down, a missing permission."""

OF_THIS_CASE = ". Here: "  # parts a cause, the same for many cases, from what one case saw of it


class SuiteError(Exception):
    """The suite cannot do what was asked; the message says what is wrong and how to put it right (exit code 2)."""


class NotProven(Exception):  # noqa: N818 - Robot Framework takes it as a skip, not as an error
    """The target lacks what the case needs: skipped, and counted as not proven."""

    ROBOT_SKIP_EXECUTION = True
    ROBOT_SUPPRESS_NAME = True
