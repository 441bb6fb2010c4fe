"""Keywords about bookings: asking the studio for something, alone or together, and judging its answer."""

from __future__ import annotations

import re

from robot.api import logger
from robot.api.deco import keyword, library
from robot.libraries.BuiltIn import BuiltIn

from acceptance import current, schedule
from acceptance.asking import actor_names
from acceptance.client import Outcome
from acceptance.doubts import About, Ground
from acceptance.errors import SuiteError
from acceptance.model import Operation, Refusal, Status
from acceptance.scene import OF_THE_WEEK
from acceptance.schedule import END, Move

_TRAFFIC = {Operation.BOOK: 5, Operation.CANCEL: 2, Operation.RESCHEDULE: 2, Operation.CONFIRM: 1}
_ORDINALS = ("", "second", "third")
_LATER = re.compile(r"(\d+) ms later")


@library(scope="GLOBAL", auto_keywords=False)
class BookingKeywords:
    """Asks the studio through its API and checks what it answers."""

    @keyword
    def ask(
        self,
        operation: Operation,
        *,
        caller: str = "member",
        member: str = "member",
        device: str = "",
        slot: str = "class",
        classes: str = "0",
    ) -> None:
        """Asks the studio for something in the name of somebody.

        | =Argument=    | =Meaning= |
        | ``operation`` | ``BOOK``, ``CANCEL``, ``RESCHEDULE``, ``ADMIN_REMOVE``, ``CONFIRM``, ``CREDIT`` or ``EXPIRE`` |
        | ``caller``    | ``member``, ``front desk``, ``trainer`` or ``stranger`` |
        | ``member``    | whose booking it is about: ``member``, or ``other-1`` for the first other member |
        | ``device``    | a client profile, when it is not the member's usual one |
        | ``slot``      | ``class`` or ``other class`` |
        | ``classes``   | how many, for a credit |

        Example:
        | Ask | BOOK | caller=member | device=web-chrome |
        """
        case = current.case()
        case.ask(operation, case.caller(caller, device), member=member, slot=slot, classes=current.count(classes))
        if case.plan is None:
            logger.info(f"{caller}: {operation}: {case.done().reply.described()}")

    @keyword
    def ask_as_another(self, which: str, operation: Operation, slot: str = "class") -> None:
        """Asks the studio for something in the name of one of the other members, about her own booking.

        | =Argument=    | =Meaning= |
        | ``which``     | empty for the first of them, ``second`` or ``third`` |
        | ``operation`` | ``BOOK``, ``CANCEL`` or ``RESCHEDULE`` |
        | ``slot``      | ``class`` or ``other class`` |

        Example:
        | Ask As Another | second | BOOK | other class |
        """
        name = f"other-{_ORDINALS.index(which.strip()) + 1}"
        self.ask(operation, caller=name, member=name, slot=slot)

    @keyword
    def ask_beforehand(self, operation: Operation) -> None:
        """Asks in the member's name for something that must be accepted before the scenario proper begins.

        Example:
        | Ask Beforehand | BOOK |
        """
        self.ask(operation)
        self.last_answer_should_be_accepted()

    @keyword
    def let_all_other_members_book(self) -> None:
        """Lets all other members book the class at once; within `At The Same Time` together with the rest.

        Example:
        | Let All Other Members Book |
        """
        case = current.case()
        alone = case.plan is None
        if alone:
            case.plan = []
        for other in case.others:
            case.ask(Operation.BOOK, other, member=other.name)
        if alone:
            case.release()

    @keyword
    def let_everybody_use_the_studio(self, rounds: str) -> None:
        """Lets all other members use the studio: in each round each of them books, cancels, moves or attends at once.

        What each does is drawn from the case's seed, of what the studio lets them do. After each round everything is checked.

        | =Argument= | =Meaning= |
        | ``rounds`` | for example ``6 rounds`` |

        Example:
        | Let Everybody Use The Studio | 6 rounds |
        """
        case = current.case()
        there = case.bench.contract.operations
        does = {operation: weight for operation, weight in _TRAFFIC.items() if operation in there} or _TRAFFIC
        week = [name for name in case.slots if name.startswith(OF_THE_WEEK)] or list(case.slots)
        for _ in range(current.count(rounds)):
            case.plan = []
            try:
                for member in case.others:
                    operation = case.random.choices(list(does), weights=list(does.values()))[0]
                    slot = case.random.choice(week)
                    case.ask(operation, member, member=member.name, slot=slot)
                case.release()
            finally:
                case.plan = None
            self._tell_what_happened()

    @keyword
    def at_the_same_time(self, *actions: str) -> None:
        """Releases several actions together, or makes them in a stated order.

        The arguments are the names of action keywords, without "When". ``10 ms later`` between two of them delays
        those that follow. With moves such as ``member -> booking.update`` nothing is left to chance: the member's call
        waits just before it changes the booking, until a later move lets it go on; ``-> end`` lets a call run
        through, or until it is blocked by one that waits. Fault points are ``deposit``, ``booking``, ``slot``,
        ``audit`` or ``calendar``, a dot, and ``insert``, ``update``, ``delete`` (before it) or ``inserted``,
        ``updated``, ``deleted`` (after it); ``first change`` and ``commit``.

        Example:
        | At The Same Time | the member cancels the booking | 10 ms later | the front desk removes the booking |
        | At The Same Time | the member cancels the booking | the front desk removes the booking | member -> booking.update | front desk -> end | member -> end |
        """
        case = current.case()
        case.plan = []
        try:
            for action in actions:
                if later := _LATER.fullmatch(action):
                    case.delay += int(later[1]) / 1000
                elif "->" in action:
                    case.moves += schedule.read(action)
                else:
                    BuiltIn().run_keyword(action)
            case.release()
        finally:
            case.plan, case.delay, case.moves = None, 0.0, []
        self._tell_what_happened()

    def _tell_what_happened(self) -> None:
        case = current.case()
        course = case.courses.get(len(case.steps) - 1)
        if course is not None:
            logger.info("In this order: " + "; ".join(course.seen))
        for done in case.steps[-1]:
            logger.info(f"{done.caller.name}: {done.call.operation}: {done.reply.described()}")

    @keyword
    def one_while_the_other(self, action: str, other: str) -> None:
        """Stops the first action just before it changes anything, lets the other one run through, then goes on.

        Example:
        | One While The Other | the member cancels the booking | the front desk removes the booking |
        """
        case = current.case()
        case.plan = []
        try:
            for sentence in (action, other):
                BuiltIn().run_keyword(sentence)
            first, second = actor_names(case.plan)
            case.moves = [Move(first, "first change"), Move(second, END), Move(first, END)]
            case.release()
        finally:
            case.plan, case.moves = None, []
        self._tell_what_happened()

    @keyword
    def repeat_the_request(self) -> None:
        """Sends the last request again: same content, same idempotency key.

        Example:
        | Repeat The Request |
        """
        current.case().repeat()

    @keyword
    def use_the_key_again(self) -> None:
        """Lets the next request carry the idempotency key of the last one, as a careless app would.

        It must be turned away, or act for itself; never may it get the other request's answer.

        Example:
        | Use The Key Again |
        """
        case = current.case()
        case.next_key = case.done().key
        if not case.bench.contract.idempotent:
            case.doubt("the target keeps no idempotency keys, so it knows no key again")

    @keyword
    def send_it_twice_at_once(self) -> None:
        """Within `At The Same Time`: sends the request before it a second time, with the same key.

        Example:
        | At The Same Time | the member books the class | the app sends it twice |
        """
        case = current.case()
        if not case.plan:
            raise SuiteError("the app can send twice only what stands before it, among what happens at the same time.")
        case.plan.append(case.plan[-1])

    @keyword
    def last_answer_should_be_accepted(self) -> None:
        """Checks that the last request was accepted.

        Example:
        | Last Answer Should Be Accepted |
        """
        case = current.case()
        reply = case.done().reply
        words = f"expected accepted, but the answer is {reply.described()}."
        case.expect(reply.outcome is Outcome.ACCEPTED, words, About.ANSWER)

    @keyword
    def last_answer_should_be_refused(self, reasons: str) -> None:
        """Checks that the last request was refused, for one of the reasons.

        | =Argument=  | =Meaning= |
        | ``reasons`` | for example ``the class is full`` or ``the class is full or no classes are left`` |

        Example:
        | Last Answer Should Be Refused | the class is full |
        """
        expected = {_refusal(reason) for reason in reasons.split(" or ")}
        case = current.case()
        reply = case.done().reply
        refused, elsewhere = reply.outcome is Outcome.REFUSED, not case.bench.contract.reference
        right = refused and reply.reason in expected
        if refused and elsewhere and Refusal.NOT_ALLOWED in expected:
            right = True  # what is asked first, who calls or what stands, is the target's own affair
        if refused and elsewhere and reply.reason is None and not right:
            words = f"the refusal {reply.message!r} is none of the environment's `refusals`"
            case.doubts.add(words, Ground.LACK, len(case.steps))
        case.expect(right, f"expected refused because {reasons}, but the answer is {reply.described()}.", About.ANSWER)

    @keyword
    def last_answer_should_be_unclear(self) -> None:
        """Checks that the last request got no answer by which the caller knows what became of it.

        Example:
        | Last Answer Should Be Unclear |
        """
        case = current.case()
        reply = case.done().reply
        case.expect(reply.outcome is Outcome.UNKNOWN, f"expected no clear answer, but it is {reply.described()}.")

    @keyword
    def classes_given_back_should_be(self, count: str) -> None:
        """Checks how many classes the last cancellation says it gave back.

        Example:
        | Classes Given Back Should Be | 1 |
        """
        case = current.case()
        done, expected = case.done(), current.count(count)
        told = done.given_back
        if not done.says("given_back"):  # then the deposits must show it
            told = case.gained()
        case.expect(told == expected, f"expected {expected} given back, but the answer says {told!r}.", About.ANSWER)

    @keyword
    def answer_should_be_the_first_one(self) -> None:
        """Checks that a repeated request got the first answer.

        Example:
        | Answer Should Be The First One |
        """
        case = current.case()
        done = case.done()
        if done.repeats is None and case.doubts:
            case.expect(False, "the repeated request was a new one.", About.KEPT_ANSWER)
        if done.repeats is None:
            raise SuiteError("no request was repeated.")
        same = (done.reply.outcome, done.reply.body) == (done.repeats.reply.outcome, done.repeats.reply.body)
        case.expect(same, f"the repeated request got {done.reply.body!r}, the first one {done.repeats.reply.body!r}.")

    @keyword
    def accepted_of_them_should_be(self, count: str) -> None:
        """Checks how many of the actions that happened at the same time were accepted.

        Example:
        | Accepted Of Them Should Be | 1 |
        """
        case = current.case()
        accepted = sum(1 for done in case.steps[-1] if done.reply.outcome is Outcome.ACCEPTED)
        expected = current.count(count)
        answers = "; ".join(f"{done.caller.name}: {done.reply.described()}" for done in case.steps[-1])
        case.expect(
            accepted == expected, f"expected {expected} accepted, but {accepted} are ({answers}).", About.ANSWER
        )

    @keyword
    def some_order_should_explain_the_answers(self) -> None:
        """Checks that the answers and the rows are what the calls give in some order, one by one.

        Example:
        | Some Order Should Explain The Answers |
        """
        case = current.case()
        case.expect(case.explained is True, "no order of the calls explains the answers and the rows.")

    @keyword
    def booking_should_stand(self, expected: bool = True) -> None:
        """Checks whether a confirmed booking of the member stands in the calendar.

        Example:
        | Booking Should Stand | ${False} |
        """
        case = current.case()
        member = case.people["member"].user_id
        wanted = (member, Status.CONFIRMED)
        standing = [row for row in case.before().bookings if (row["user_id"], row["status"]) == wanted]
        words = "a booking to stand, but none does" if expected else f"no booking to stand, but {len(standing)} do"
        case.expect(bool(standing) == expected, f"expected {words}.")

    @keyword
    def nothing_should_have_changed(self) -> None:
        """Checks that the last request left every row of the case as it was.

        Example:
        | Nothing Should Have Changed |
        """
        case = current.case()
        case.expect(not case.changed, "expected nothing to change, but rows did.")

    @keyword
    def no_class_should_be_lost(self) -> None:
        """Checks every invariant of ``data/invariants.yaml`` on all that the case did.

        Example:
        | No Class Should Be Lost |
        """
        current.case().expect(True, "")


def _refusal(words: str) -> Refusal:
    try:
        return Refusal(words)
    except ValueError:
        known = ", ".join(f'"{refusal}"' for refusal in Refusal)
        raise SuiteError(f"a studio does not refuse because {words!r}; known reasons: {known}.") from None
