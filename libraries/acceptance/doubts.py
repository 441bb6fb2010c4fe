"""Why a scenario's expectation may rightly not hold on a system other than our studio, and what then becomes of it.

Scenarios are written for our studio. What must always hold is judged on any system; a sentence that foretells an answer
or a count is another matter: where the model has explained the very step otherwise, by a rule that is the system's own
affair, the sentence gives way and the case goes on. Further on, where the scenario has left its path, or where the
system lacks what the sentence is about, nothing is proven by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from acceptance.errors import NotProven

NEW_REQUEST = "the target keeps no idempotency keys, so a request that is sent again is a new one"


class About(StrEnum):
    """What an expectation is about."""

    ANSWER = "what was answered"
    STATE = "what then stands"
    KEPT_ANSWER = "the first answer, kept for a repetition"
    ANY_SYSTEM = "what holds on any system, whatever its rules"


class Ground(StrEnum):
    """Why there is a doubt: a rule that the target chooses, no idempotency keys, or something else that it lacks."""

    CHOICE = "choice"
    NO_KEYS = "no keys"
    LACK = "lack"


@dataclass(frozen=True)
class Doubt:
    """A reason why what was foretold need not hold, and the number of the step in which it came to light."""

    reason: str
    ground: Ground
    step: int

    @property
    def described(self) -> str:
        """Say why nothing is proven."""
        own = self.ground is Ground.CHOICE
        return f"the target's rules are its own ({self.reason}); see `policies`" if own else self.reason

    def excuses(self, about: About) -> bool:
        """Tell whether an expectation about its own step gives way to it.

        A request that acts again with each try is not answered as one with a key is. What it does must be the same:
        where rows are otherwise than foretold it has acted twice, and that is for nobody to excuse.
        """
        if self.ground is Ground.CHOICE:
            return about is not About.KEPT_ANSWER
        return self.ground is Ground.NO_KEYS and about is About.ANSWER


class Doubts:
    """The doubts of one case, in the order in which they came to light; ``told`` is what expectations gave way to."""

    def __init__(self) -> None:
        self.known: list[Doubt] = []
        self.told: list[str] = []

    def __bool__(self) -> bool:
        return bool(self.known)

    def add(self, reason: str, ground: Ground, step: int) -> None:
        """Note a doubt about a step and what follows."""
        self.known.append(Doubt(reason, ground, step))

    def tell(self, reason: str) -> None:
        """Note what the target has chosen, once."""
        if reason not in self.told:
            self.told.append(reason)

    def excuse(self, sentence: str, about: About, step: int) -> bool:
        """Tell whether an expectation that does not hold gives way.

        Args:
            sentence: what was expected, and what there is instead.
            about: what it is about.
            step: the number of the last step.

        Raises:
            NotProven: when it does not, but something that has come to light may be why it does not hold.
        """
        if about is About.ANY_SYSTEM or not self.known:
            return False
        for doubt in self.known:
            if doubt.step == step and doubt.excuses(about):
                self.tell(doubt.reason)
                return True
        raise NotProven(f"not proven: {self.known[0].described}. Here: {sentence}")
