*** Settings ***
Documentation    The bug this suite exists for: a class left the deposit, and no booking stood in the calendar.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority    category-priority    priority-p0    bug


*** Test Cases ***
T-BUG-001 A cancellation while the calendar fails converges
    [Documentation]    Protects from: cancelled in the books, still in the calendar, and nobody knows of it. Either the
    ...    booking stands, or the failure is written down; and soon both say the same.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    When the member books the class
    Then the studio accepts it
    And the calendar shows the booking
    When the calendar answers 500
    And the member cancels the booking
    Then the calendar agrees with the bookings
    And no class is lost or given away

T-BUG-002 A cancellation whose answer is lost gives the class back once
    [Documentation]    Protects from: the class is given back twice, or the booking stays while the class is back.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And the answer is lost on the way back
    When the member cancels the booking on android
    Then the studio accepts it
    And 1 class is given back
    And no booking stands in the calendar
    And 10 classes are left
    And no class is lost or given away

T-BUG-003 A class that is turned away costs nothing
    [Documentation]    Protects from: the deposit is charged before the class turns out to be full.
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    And 4 places are taken
    When the member books the class
    Then the studio refuses because the class is full
    And nothing has changed
    And 1 class is left
    And no class is lost or given away

T-BUG-004 A moved booking takes its class along
    [Documentation]    Protects from: the old place is given up, the new one is not there, and the class is gone.
    Given a member with 2 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When the member moves the booking to the other class
    Then the studio accepts it
    And 1 class is left
    And the booking stands in the calendar
    And the class has 0 places taken
    When the front desk removes the booking
    Then 1 class is given back
    And 2 classes are left
    And no class is lost or given away

T-BUG-005 A booking whose answer is lost is still one booking
    [Documentation]    Protects from: the app shows an error, the member books again, and two classes are gone.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the answer is lost on the way back
    When the member books the class on android
    Then the studio accepts it
    And the booking stands in the calendar
    And 9 classes are left
    And no class is lost or given away

T-BUG-006 A booking that cannot be written costs nothing
    [Documentation]    Protects from the bug itself: the deposit is charged, writing the booking fails, the error is
    ...    swallowed, and a class is gone.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the database fails with 53100 at booking.insert
    When the member books the class on web-chrome
    And the member repeats the request
    Then the studio accepts it
    And 9 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-BUG-007 A connection that dies at the last moment leaves all or nothing
    [Documentation]    Protects from: half a booking after a crash between the charge and the commit.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the database connection dies at commit
    When the member books the class on web-chrome
    And the member repeats the request
    Then the studio accepts it
    And 9 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-BUG-008 Half an answer is no answer
    [Documentation]    Protects from: the app reads half of an answer, believes the booking failed, and books twice.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the answer arrives truncated
    When the member books the class on ios
    Then the studio accepts it
    And 9 classes are left
    And no class is lost or given away
