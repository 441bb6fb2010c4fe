*** Settings ***
Documentation    Two people act at the same moment. Whatever the order, no class may be lost or given away.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority    category-priority    priority-p0    concurrency


*** Test Cases ***
T-CONC-001 Member cancels while the front desk removes the booking
    [Documentation]    Protects from: both give the class back, and the member has one class too many.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When at the same time
    ...    the member cancels the booking
    ...    10 ms later
    ...    the front desk removes the booking
    Then the answers fit one order of the calls
    And 10 classes are left
    And no booking stands in the calendar
    And no class is lost or given away

T-CONC-002 Twelve members want the last place
    [Documentation]    Protects from: more people in the room than there are places, or a class paid for no place.
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    And 3 places are taken
    And 12 other members with 1 class each
    When all other members book the class at once
    Then exactly 1 of them is accepted
    And the class has 4 places taken
    And the answers fit one order of the calls
    And no class is lost or given away

T-CONC-003 One last class and two taps
    [Documentation]    Protects from: the deposit goes below zero, or one booking is paid twice.
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    When at the same time
    ...    the member books the class
    ...    the member books the class
    Then exactly 1 of them is accepted
    And 0 classes are left
    And the class has 1 place taken
    And the answers fit one order of the calls
    And no class is lost or given away

T-CONC-004 Two cancellations give one class back
    [Documentation]    Protects from: each of two taps on "cancel" gives a class back.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When the member cancels the booking while the member cancels the booking on web-chrome
    Then the answers fit one order of the calls
    And 5 classes are left
    And no class is lost or given away

T-CONC-005 The front desk removes the very booking that is being cancelled
    [Documentation]    Protects from: the worst order of T-CONC-001, which comes once in thousands of times by itself:
    ...    the front desk finishes between the member's look at the booking and the refund.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When at the same time
    ...    the member cancels the booking
    ...    the front desk removes the booking
    ...    member -> deposit.update
    ...    front desk -> end
    ...    member -> end
    Then the answers fit one order of the calls
    And 10 classes are left
    And no booking stands in the calendar
    And no class is lost or given away

T-CONC-006 The last place goes while somebody looks at it
    [Documentation]    Protects from: both saw one free place, and both have it.
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    And 3 places are taken
    And 1 other member with 1 class each
    When the member books the class while all other members book the class at once
    Then exactly 1 of them is accepted
    And the class has 4 places taken
    And no class is lost or given away

T-CONC-007 One last class for two bookings
    [Documentation]    Protects from: both bookings saw the last class of the deposit, and one of them is free.
    Given a member with 1 class left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    When the member books the class while the member books the other class
    Then exactly 1 of them is accepted
    And 0 classes are left
    And no class is lost or given away

T-CONC-008 The class is switched off while it is being booked
    [Documentation]    Protects from: a booking of a class that will not take place, decided on what was true before.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When the member books the class while the studio switches the class off
    Then the answers fit one order of the calls
    And no class is lost or given away

T-CONC-009 Two members move into the last place
    [Documentation]    Protects from: a move that locks the class it comes from, and not the one it goes to.
    Given a member with 2 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 1 place
    And 1 other member with 2 classes each
    And the member has booked the class
    When the other member books the class
    And at the same time
    ...    the member moves the booking to the other class
    ...    the other member moves her booking to the other class
    ...    member -> booking.insert
    ...    other-1 -> end
    ...    member -> end
    Then exactly 1 of them is accepted
    And no class is lost or given away

T-CONC-010 Two members swap their classes while a third one books
    [Documentation]    Protects from: locks taken in the order of travel, so that each of two moves waits for the other.
    Given a member with 2 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And 2 other members with 2 classes each
    When the other member books the class
    And the second other member books the other class
    And at the same time
    ...    the member books the other class
    ...    the second other member moves her booking to the class
    ...    the other member moves her booking to the other class
    ...    member -> deposit.update
    ...    other-2 -> end
    ...    other-1 -> end
    ...    member -> end
    Then exactly 3 of them are accepted
    And no class is lost or given away

T-CONC-011 The same, with the first class in dispute
    [Documentation]    Protects from: the same as before; which of the two classes comes first in a table is chance.
    Given a member with 2 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And 2 other members with 2 classes each
    When the other member books the class
    And the second other member books the other class
    And at the same time
    ...    the member books the class
    ...    the other member moves her booking to the other class
    ...    the second other member moves her booking to the class
    ...    member -> deposit.update
    ...    other-1 -> end
    ...    other-2 -> end
    ...    member -> end
    Then exactly 3 of them are accepted
    And no class is lost or given away

T-CONC-012 A booking and a cancellation wait for the same class
    [Documentation]    Protects from: locks taken in different orders, so that one of the two gets an error (deadlock).
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When at the same time
    ...    the studio lowers the class to 3 places
    ...    the front desk books the class for the member
    ...    the member cancels the booking
    ...    studio -> slot.updated
    ...    front desk -> end
    ...    member -> end
    ...    studio -> end
    Then the answers fit one order of the calls
    And no class is lost or given away

T-CONC-013 A cancellation and a booking wait for the same class
    [Documentation]    Protects from: the same as before, with the cancellation first in the queue.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When at the same time
    ...    the studio lowers the class to 3 places
    ...    the member cancels the booking
    ...    the front desk books the class for the member
    ...    studio -> slot.updated
    ...    member -> end
    ...    front desk -> end
    ...    studio -> end
    Then the answers fit one order of the calls
    And no class is lost or given away
