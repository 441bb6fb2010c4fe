*** Settings ***
Documentation    The members' own calendars, on a server of their own: whatever happens on the way, they converge.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority    category-priority    priority-p0


*** Test Cases ***
T-CAL-001 Booking, moving and removing reach the calendar
    [Documentation]    Each step is in the member's calendar soon after it was accepted.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    When the member books the class
    Then the studio accepts it
    And the calendar shows the booking
    When the member moves the booking to the other class
    Then the studio accepts it
    And the calendar agrees with the bookings
    When the front desk removes the booking
    Then the studio accepts it
    And the calendar shows no booking
    And the calendar agrees with the bookings
    And no class is lost or given away

T-CAL-002 The calendar fails while a booking is cancelled
    [Documentation]    The cancellation holds, the failure is in the audit log, and the entry is gone soon.
    [Tags]    thorough
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And the calendar agrees with the bookings
    And the calendar answers 503 3 times
    When the member cancels the booking
    Then the studio accepts it
    And the calendar agrees with the bookings
    And 5 classes are left
    And no class is lost or given away

T-CAL-003 The calendar takes a booking and its answer is lost
    [Documentation]    The booking is told again, and stands in the calendar once.
    [Tags]    thorough
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the calendar's answer is lost
    When the member books the class
    Then the studio accepts it
    And the calendar agrees with the bookings
    And the calendar shows the booking
    And no class is lost or given away

T-CAL-004 The worker dies while the calendar takes a booking
    [Documentation]    It was not noted, so it is told again; then the cancellation, and never the other way round.
    [Tags]    thorough
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the calendar is down for a while
    When the member books the class
    And the calendar worker dies
    And the member cancels the booking
    Then the studio accepts it
    And the calendar agrees with the bookings
    And the calendar shows no booking
    And no class is lost or given away

T-CAL-005 A class that is given another time moves in the calendar
    [Documentation]    The calendar shows the time that the class has now.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And the calendar agrees with the bookings
    When the class has started 30 minutes ago
    Then the calendar agrees with the bookings
    And no class is lost or given away

T-CAL-006 A cancellation does not overtake its booking
    [Documentation]    The booking could not be delivered at first; the cancellation waits until it is.
    [Tags]    thorough
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the calendar answers 503 3 times
    When the member books the class
    And the member cancels the booking
    Then the studio accepts it
    And the calendar agrees with the bookings
    And the calendar shows no booking
    And no class is lost or given away
