"""One case while it runs: its people, its classes, the calls made so far, and what they left in the database.

After every step (one call, or several released together) the rows are read and every invariant is checked;
what broke is kept and raised by the next expectation, so that a scenario's own words come first in the log. What there
is at first stands in ``scene``, how calls are made in ``asking``, what they teach in ``memory``.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from acceptance import access, calendar, client, failure, invariants, needs, orders, rows, snapshot
from acceptance.asking import EXPIRY_LOCK, Asking
from acceptance.bench import Bench
from acceptance.client import Caller, Outcome, Request
from acceptance.doubts import NEW_REQUEST, About, Ground
from acceptance.errors import OF_THIS_CASE, NotProven
from acceptance.history import Done, log_record, seen, seen_of
from acceptance.invariants import Breach, Facts, View
from acceptance.model import Call, Operation, State
from acceptance.orders import Seen
from acceptance.policies import Choice, Policy
from acceptance.snapshot import Snapshot

OF_THE_ROWS = ("I1", "I2", "I3", "I4", "I5", "I6")


class BrokenPromise(AssertionError):  # noqa: N818 - a finding about the target, not an error of the suite
    """The target broke an expectation or an invariant; Robot Framework shows the message alone."""

    ROBOT_SUPPRESS_NAME = True


class RunningCase(Asking):
    """What happens in one case, and what it left behind.

    Args:
        bench: the process's tools.
        name: the test's name; its first word is the case's id.
        seed: source of everything random in the case.
        trace_id: the record's trace; the run's own is derived from it, so that two runs never share one.
    """

    def __init__(self, bench: Bench, name: str, seed: int, trace_id: str):
        super().__init__(bench, name.split()[0], seed, trace_id)
        self.name = name
        self.breaches: list[Breach] = []
        self.broken_in: dict[Breach, int] = {}  # the number of the step after which it was first seen
        self.first: Snapshot | None = None
        self.changed = False
        self.looked_at_calendar = False
        self.explained: bool | None = True
        self.snapshots: list[tuple[Snapshot, Snapshot]] = []
        self.complaints: list[str] = []
        # What a step did otherwise than the environment declares; the next expectation says so.
        self.objections: list[str] = []
        self.crashes: list[str] = []
        self.kills_seen: list[str] = []
        # What a fault has left to do once the calls are over, before the rows can be read: wait, connect again.
        self.aftermath: list[Callable[[], None]] = []
        self._raised = 0

    def gained(self) -> int:
        """Count the classes that the last step has put into the member's deposits."""
        member = self.people["member"].user_id
        before, after = (
            sum(row["deposit_remaining"] for row in one.deposits if row["user_id"] == member)
            for one in self.snapshots[-1]
        )
        change: int = after - before
        return change

    def clear_up(self) -> None:
        """Do what the faults have left to do."""
        while self.aftermath:
            self.aftermath.pop(0)()

    def snapshot(self) -> Snapshot:
        """Read the case's rows now."""
        self.insert()
        bench = self.bench
        users, slots = self._user_ids(), self.slots.values()
        return snapshot.take(bench.connection, bench.catalogue, users, slots, self.trace_id, bench.contract)

    def _user_ids(self) -> list[str]:
        return [person.user_id for person in self.people.values() if person.user_id]

    def before(self) -> Snapshot:
        """Return the rows as they are now; they are read again only when something was changed around the API."""
        if self.last is None or self.waiting:
            self.last = self.snapshot()
        if self.first is None:
            self.first = self.last
        return self.last

    def settle(self, before: Snapshot, step: list[Done], known: State | None) -> None:
        """Read the rows after a step, find the order that explains it, check the invariants, write the log."""
        self.clear_up()
        self.steps.append(step)
        self.last = self.snapshot()
        after = self.last
        state = known
        trespasses = [words for done in step if (words := self._trespass(done))]
        explained: bool | None = True
        if known is None:
            self.learn_credits(step, before, after)
            try:
                state = self._explain(step, after)
                explained = state is not None
            except orders.SearchLimitError:
                explained = None
        self.explained = explained
        if explained is None and not self.bench.contract.reference:
            # Each try of a call may have acted there: what must always hold is judged, and the case goes on from the
            # rows, as after a crash.
            words = "each try of a call may have acted, which gives too many orders to judge"
            self.doubts.add(words, Ground.LACK, len(self.steps))
            state, explained = orders.state_of(self.state, after), True
        self.changed = before.rows() != after.rows()
        self.snapshots.append((before, after))
        if state is not None:
            step[-1].happened = state != self.state
            self.state = state
            self.learn_from_rows(after)
        breaches = invariants.check(replace(self._facts(before, explained), rights=tuple(trespasses)))
        self._keep(breaches)
        broken = {breach.invariant for breach in breaches}
        checks = {name: name not in broken for name in invariants.CHECKS}
        for done in step:
            self.log(log_record(done, self.test_id, self.seed, self.trace_id, len(self.steps), checks))

    def _keep(self, breaches: list[Breach]) -> None:
        """Keep what broke and is not known yet."""
        for breach in breaches:
            if breach not in self.breaches:
                self.breaches.append(breach)
                self.broken_in[breach] = len(self.steps)

    def _explain(self, step: list[Done], after: Snapshot) -> State | None:
        """Find an order of the calls of a step that gives the answers and the rows.

        Our studio must do as the model does. Another one may choose some rules otherwise, or must, where its
        environment declares it; then what a scenario expects of this step gives way, what must always hold does not.
        """
        # A call sent twice at once is one call; a repetition of an earlier step acts if that one did not.
        alone = [d for d in step if not any(d.repeats is other for other in step)]
        contract = self.bench.contract

        def agrees(state: State) -> bool:
            return orders.agrees(state, after, self._aliases)

        if contract.reference:
            return orders.explain(self.state, [self._as_judged(one) for one in seen_of(step)], agrees)
        calls = [self._as_judged(one) for done in alone for one in self._deliveries(done)]
        if len(calls) > len(alone):
            self.doubts.add(NEW_REQUEST, Ground.NO_KEYS, len(self.steps))
        declared = {policy: choice for policy, choice in contract.policies.items() if choice is not Choice.EITHER}
        free = {**dict.fromkeys(contract.policies, Choice.EITHER), **declared}

        def explained(policies: Mapping[Policy, Choice]) -> State | None:
            return orders.explain(self.state, calls, agrees, policies)

        for policies in (declared, free):
            state = explained(policies)
            if state is not None:
                self._note_choices(policies, explained)
                return state
        for policy, choice in declared.items():
            state = explained({**free, policy: Choice.EITHER})
            if state is not None:
                self.objections.append(f"the environment declares {policy.said(choice)}, and the target did otherwise.")
                return state
        return None

    def _note_choices(
        self, policies: Mapping[Policy, Choice], explained: Callable[[Mapping[Policy, Choice]], State | None]
    ) -> None:
        """Note which rules of its own a target has followed in a step: the fewest without which nothing explains it."""
        needed = {policy: choice for policy, choice in policies.items() if choice is not Choice.OURS}
        for policy in tuple(needed):
            rest = {other: choice for other, choice in needed.items() if other is not policy}
            if explained(rest) is not None:
                needed = rest
        for policy in needed:
            self.doubts.add(policy.said(Choice.OTHER), Ground.CHOICE, len(self.steps))

    def _deliveries(self, done: Done) -> list[Seen]:
        """List what reached a target of one request: without idempotency keys each try is a call of its own."""
        last = seen(done)
        if sum(1 for deposit in self.state.deposits if deposit.member == done.call.member) > 1:
            last = replace(last, remaining=None)  # it may speak of one deposit or of all
        if self.bench.contract.idempotent:
            return [last]
        unseen = [replace(done.call, creates=f"{done.call.creates}-{n}") for n in range(done.unseen)]
        return [*(Seen(call, Outcome.UNKNOWN) for call in unseen), last]

    # --- rights -------------------------------------------------------------------------------------------

    def _owner(self, call: Call) -> str | None:
        """Name whose booking or deposit a call is about; None where there is no such booking."""
        if call.operation in (Operation.BOOK, Operation.CREDIT, Operation.EXPIRE):
            return call.member
        booking = self.state.booking(call.booking)
        return booking.member if booking else None

    def _must_not(self, call: Call, column: str = "") -> bool:
        """Tell whether the table of rights lets nobody like the caller have this done, on any system."""
        table = self.bench.target.environment.access
        own = call.caller == self._owner(call)
        answers = table.answers(call.operation, column or access.column_of(call.role), own=own)
        if self.bench.contract.reference:
            return bool(answers) and not any(may.ours for may in answers)
        return bool(answers) and not any(may.ours or may.open for may in answers)

    def _as_judged(self, one: Seen) -> Seen:
        """Take a call by somebody who must not for what it is, so that the search judges the rest of it.

        That it was accepted breaks the invariant of rights, and the rows must fit all the same. Any clear refusal is
        right: whether a studio looks at the class or at the caller first loses nothing.
        """
        if not self._must_not(one.call):
            return one
        if one.outcome is Outcome.ACCEPTED:
            return replace(one, call=replace(one.call, role="service"))
        return replace(one, reason=None)

    def _trespass(self, done: Done) -> str:
        """Say what somebody was granted who must not have it; nothing where all is well."""
        call, owner = done.call, self._owner(done.call)
        if done.reply.outcome is not Outcome.ACCEPTED or owner is None:
            return ""
        column = access.column_of(call.role, done.caller.name)
        if not self._must_not(call, column):
            return ""
        who = "member" if call.caller == owner else column
        return f"{who} must not {access.ASKED[call.operation]}, and could."

    def _facts(self, before: Snapshot, explained: bool | None, views: list[View] | None = None) -> Facts:
        after = self.last or before
        given = frozenset(row["id"] for table, row in self.made if table == "pilates_bookings")
        facts = Facts(before, after, self.steps, self.credited, self.names, self.peak, explained, views or [], given)
        facts.crashes = self.crashes
        facts.reference = self.bench.contract.reference
        return facts

    def expect(self, holds: bool, sentence: str, about: About = About.STATE) -> None:
        """Raise what broke and was not raised yet, with a scenario's own expectation where that does not hold.

        Args:
            holds: whether the expectation does.
            sentence: says what was expected, and what there is instead.
            about: what it is about: on another system it may give way to that system's own rules.

        Raises:
            BrokenPromise: names every breach, the case, its seed and trace, and how to run it again.
            NotProven: when nothing broke, and it does not hold for something that the target lacks or chose earlier.
        """
        news = [*map(str, self.breaches[self._raised :]), *self.objections]
        if not news and (holds or self.doubts.excuse(sentence, about, len(self.steps))):
            return
        self._raised, self.objections = len(self.breaches), []
        lines = news
        if not holds:
            lines.append(sentence)
        self.complaints += lines
        lines.append(f"Case {self.test_id}, seed {self.seed}, trace {self.trace_id}.")
        lines.append(f"Again: python3 tools/pilates.py replay {self.test_id}    Evidence: {failure.folder(self)}")
        raise BrokenPromise("\n".join(lines))

    def look(self) -> None:
        """Let the member, the staff and those who must not see anything read the case's rows through the API.

        The member reads everything. Of the others each reads one table, drawn from the case's seed: over the cases of a
        run they read all of them, and ``suites/rules/rights.robot`` tries each.
        """
        if "member" not in self.people:
            return
        member = self.people["member"]
        stranger_id = str(uuid.UUID(int=self.random.getrandbits(128), version=4))
        visitor = replace(member, name="a visitor without sign-in", token=None)
        given = self.bench.users_given
        if given is None:
            stranger = replace(member, name="a stranger", token=client.token(self.bench.target, stranger_id))
        elif given.has("user", [one.user_id for one in self.people.values()]):
            another = given.take("user", [one.user_id for one in self.people.values()])
            stranger = replace(member, name="a stranger", token=given.token(another.user_id))
        else:
            stranger = visitor
        of_member = {"user_id": f"eq.{member.user_id}"}
        of_slots = {"slot_id": f"in.({','.join(self.slots.values())})"}
        contract = self.bench.contract
        looks = [(member, table, True, of_member) for table in ("pilates_bookings", "pilates_deposits")]
        desk = [role for role in ("admin", "secretary") if contract.reference or role in contract.roles]
        if given is not None:
            desk = [role for role in desk if given.has(role)]
        if desk:
            staff = replace(self.bench.staff(desk[0]), name="the front desk")
            looks += [(staff, table, True, of_member) for table in self._one_of(sorted(contract.staff_sees))]
        outsider = self.random.choice((stranger, visitor)) if member.role == "user" else visitor
        looks += [(outsider, t, False, of_member) for t in self._one_of(["pilates_bookings", "pilates_deposits"])]
        if self.slots and contract.occupancy == "view":
            looks.append((member, rows.OCCUPANCY, True, of_slots))
        views = [self._view(*look) for look in looks]
        breaches = invariants.check(self._facts(self.before(), True, views), "I8")
        self._keep(breaches)

    def _one_of(self, tables: list[str]) -> list[str]:
        """Draw a table, if there is one."""
        return [self.random.choice(tables)] if tables else []

    def judge_rights(self, wrong: list[str]) -> None:
        """Keep what somebody could do and must not, or could not do and may, as breaches of I16."""
        self._keep(invariants.check(replace(self._facts(self.before(), True), rights=tuple(wrong)), "I16"))

    # --- the calendar -------------------------------------------------------------------------------------

    def calendar_entries(self) -> list[calendar.Entry]:
        """Read what the calendars of the case's members show now.

        Raises:
            NotProven: when the target has no calendar that we could read.
        """
        needs.calendar(self.bench.target)
        self.looked_at_calendar = True
        return calendar.read(self.bench.target.calendar_url, self._user_ids())

    def await_calendar(self) -> None:
        """Wait until the calendar shows what is booked, and keep what it still got wrong as a breach of I10."""
        before = self.before()
        given = frozenset(row["id"] for table, row in self.made if table == "pilates_bookings")
        for last in calendar.deadline():
            settled = calendar.is_settled(self.last or before)
            entries = self.calendar_entries()
            self.last = self.snapshot()
            wrong = tuple(calendar.differences(self.last, entries, given, self.bench.target.environment.zone))
            if last or settled or not wrong:
                break
        breaches = invariants.check(replace(self._facts(before, True), calendar=wrong), "I10")
        self._keep(breaches)

    def _view(self, caller: Caller, table: str, sees: bool, condition: dict[str, str]) -> View:
        params = {**condition, "select": ",".join(invariants.SHOWN[table])}
        name = "the member" if caller.name == "member" else caller.name
        shown = self.read(Request("GET", f"/{table}", caller, params=params))
        if isinstance(shown, list):
            shown = self.bench.contract.in_our_words(table, shown)
        return View(name, table, sees, shown)

    def end(self) -> None:
        """Finish the case: last look, snapshots, log, and the rows removed in any event.

        Raises:
            BrokenPromise: when something broke that no expectation has raised.
        """
        try:
            self.clear_up()
            if self.people:
                self._look_once_more()
                self.look()
                missing = self.not_exercised()
                if missing and not self.bench.contract.reference and not self.breaches and not self.complaints:
                    words = f"{needs.NOT_PASSED}{OF_THIS_CASE}{', '.join(missing)}"
                    raise NotProven(f"not proven: {words}.")
                self.expect(not missing, f"not exercised: planned, but it never took place: {', '.join(missing)}.")
        finally:
            self._write_snapshots()
            if self.complaints:
                failure.write(self)
            users = self._user_ids()
            if self._expiry_alone:
                with self.bench.connection.cursor() as cursor:
                    cursor.execute("select pg_advisory_unlock(%s, 0)", (EXPIRY_LOCK,))
            keys = {one["idempotency_key"] for one in self.exchanges}
            rows.remove_case(self.bench.connection, self.bench.catalogue, users, self.slots.values(), keys)
            if self.looked_at_calendar:
                # Without rows nothing more is delivered. Elsewhere entries may stay: the embedded calendar is thrown
                # away with its studio, and no id is used twice.
                calendar.remove(self.bench.target.calendar_url, users)
            self.bench.evidence.flush()

    def _look_once_more(self) -> None:
        """Read the rows a last time, and check those that have changed since the last step: nobody asked for it."""
        known = self.last
        self.last = self.snapshot()
        self.first = self.first or self.last
        if known is not None and self.last.rows() != known.rows():
            self._keep(invariants.check(self._facts(known, self.explained), *OF_THE_ROWS))

    def not_exercised(self) -> list[str]:
        """Enter into the ledger what was planned to disturb the case, and return what of it never took place."""
        of_network = self.network.not_exercised()
        courses = self.courses.values()
        missing = of_network + [what for course in courses for what in course.not_exercised()]
        missing += [f"{action} at {point}" for point, action, _ in self.faults]
        missing += list((Counter(self.kills_planned) - Counter(self.kills_seen)).elements())
        planned = {
            "crash": self.kills_planned,
            "network": [str(one["fault"]) for one in self.network.planned if one["leg"] == "api"],
            "calendar": [f"{one['fault']} (calendar)" for one in self.network.planned if one["leg"] == "calendar"],
            "database": [what for course in courses for what in course.planned if " meets " in what],
            "order": [what for course in courses for what in course.planned if " waits at " in what],
        }
        if any(planned.values()) or missing:
            self.bench.evidence.enter(self.test_id, planned, missing)
        return missing

    def _write_snapshots(self) -> None:
        if self.first is not None and self.last is not None:
            self.bench.evidence.snapshot(f"{self.test_id}-before", self.first)
            self.bench.evidence.snapshot(f"{self.test_id}-after", self.last)
