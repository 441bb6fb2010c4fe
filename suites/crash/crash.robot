*** Settings ***
Documentation     Computers die in the middle of their work. What a member was told must still be true afterwards.
...
...               These tests kill the API and the database, on a studio that nobody else uses.
...               They prove what the death of programs does; a power cut is another matter, which they do not prove.

Resource          ../../resources/studio.resource
Resource          ../../resources/crash.resource

Suite Setup       A studio of its own
Suite Teardown    Back to the shared studio
Test Setup        The case begins
Test Teardown     The case ends

Test Tags         category-priority    priority-p0    crash


*** Test Cases ***
T-CRASH-001 The database is killed while members book
    [Documentation]    Protects from: bookings that were confirmed to members and are gone after the server's restart.
    Given a member with 10 classes left
    And 19 other members with 2 classes each
    And a class tomorrow at 10:00 with 40 places
    And another class tomorrow at 12:00 with 5 places
    When all members book and cancel while the database is killed
    Then everything that was acknowledged is there
    And nothing that was refused is there
    And what got no answer is there wholly or not at all
    And no class is lost or given away

T-CRASH-002 One process of the database is killed
    [Documentation]    Protects from: one crashing connection takes the others' confirmed bookings along.
    Given a member with 10 classes left
    And 19 other members with 1 class each
    And a class tomorrow at 10:00 with 40 places
    And another class tomorrow at 12:00 with 5 places
    When all members book and cancel while one process of the database is killed
    Then everything that was acknowledged is there
    And nothing that was refused is there
    And what got no answer is there wholly or not at all
    And no class is lost or given away

T-CRASH-003 The API is killed while members book
    [Documentation]    Protects from: a class paid twice by an app that asks again, or paid without a booking.
    Given a member with 10 classes left
    And 19 other members with 2 classes each
    And a class tomorrow at 10:00 with 40 places
    And another class tomorrow at 12:00 with 5 places
    When all members book and cancel while the API is killed
    Then everything that was acknowledged is there
    And nothing that was refused is there
    And what got no answer is there wholly or not at all
    And no class is lost or given away

T-CRASH-004 Database and API are killed together
    [Documentation]    Protects from: API and database come back with different ideas of what was booked.
    Given a member with 10 classes left
    And 19 other members with 2 classes each
    And a class tomorrow at 10:00 with 40 places
    And another class tomorrow at 12:00 with 5 places
    When all members book and cancel while both are killed
    Then everything that was acknowledged is there
    And nothing that was refused is there
    And what got no answer is there wholly or not at all
    And no class is lost or given away

T-CRASH-005 A booking is kept and its answer lost inside the studio
    [Documentation]    Protects from: the app shows an error although the class is booked; the member books again and
    ...    pays twice, or is told that the class is booked by somebody else's hand.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the app gives up at once
    And the commit's answer is lost
    When the member books the class
    Then nobody can say whether it happened
    And the booking stands in the calendar
    And 9 classes are left
    When the member repeats the request
    Then the studio accepts it
    And the answer names the booking that stands
    And 9 classes are left
    And no class is lost or given away

T-CRASH-006 The database is killed at the very moment it keeps a booking
    [Documentation]    Protects from: the booking was kept, the studio forgot to whom it owes the answer, and asking
    ...    again costs a second class.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the app gives up at once
    And the database is killed at the commit
    When the member books the class
    Then nobody can say whether it happened
    And what got no answer is there wholly or not at all
    And the booking stands in the calendar
    When the member repeats the request
    Then the studio accepts it
    And the answer names the booking that stands
    And 9 classes are left
    And no class is lost or given away
