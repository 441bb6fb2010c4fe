*** Settings ***
Documentation    Rules that a studio lives by, each with what would go wrong without it.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        rules    category-rules    priority-p0    bookings


*** Test Cases ***
T-RULE-301 A big class gets full too
    [Documentation]    Protects from: places that are counted up to ten only.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 12 places
    And 11 places are taken
    And 1 other member with 1 class each
    When the member books the class
    Then the studio accepts it
    When all other members book the class at once
    Then exactly 0 of them are accepted
    And the class has 12 places taken
    And no class is lost or given away

T-RULE-302 A booking is not moved into a full class
    [Documentation]    Protects from: a move that asks for no place.
    Given a member with 5 classes left
    And another class tomorrow at 12:00 with 4 places
    And a class tomorrow at 10:00 with 1 place
    And 1 place is taken
    When the member books the other class
    Then the studio accepts it
    When the member moves the booking to the same class
    Then the studio refuses because the class is full
    And nothing has changed
    And no class is lost or given away

T-RULE-303 A booking is not moved to where it is
    [Documentation]    Protects from: a booking that is cancelled and made again for nothing.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When the member moves the booking to the same class
    Then the studio refuses because the member has booked it already
    And nothing has changed
    And no class is lost or given away

T-RULE-304 A missed class is not moved to another day
    [Documentation]    Protects from: members who move a class after it has begun.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When the class has started 30 minutes ago
    And the member moves the booking to the other class
    Then the studio refuses because the class has started
    And nothing has changed
    And no class is lost or given away

T-RULE-305 Two bookings are moved to the last place
    [Documentation]    Protects from: a move that locks the old class and not the new one.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 1 place
    And the member has booked the class
    When at the same time
    ...    the member moves the booking to the other class
    ...    the front desk books the other class for the member
    ...    member -> booking.insert
    ...    front desk -> end
    ...    member -> end
    Then exactly 1 of them is accepted
    And no class is lost or given away

T-RULE-306 Attendance is confirmed once, and only of a booking that stands
    [Documentation]    Protects from: errors on a second tick, and a cancelled class that counts as attended.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When the member confirms attendance
    Then the studio accepts it
    When the member confirms attendance
    Then the studio accepts it
    And nothing has changed
    When the member cancels the booking
    Then the studio refuses because the booking does not stand
    And nothing has changed
    And 4 classes are left
    And no class is lost or given away

T-RULE-307 A cancelled booking is not attended
    [Documentation]    Protects from: a class that is back in the deposit and attended as well.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    When the member cancels the booking
    And the member confirms attendance
    Then the studio refuses because the booking does not stand
    And nothing has changed
    And 5 classes are left
    And no class is lost or given away

T-RULE-308 A class comes back while another one is booked
    [Documentation]    Protects from: a count that was read before the other booking and written after it.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at the same time
    ...    the member cancels the booking
    ...    the member books the other class
    ...    member -> deposit.update
    ...    member 2 -> end
    ...    member -> end
    Then exactly 2 of them are accepted
    And 4 classes are left
    And no class is lost or given away

T-RULE-309 One request sent twice at once acts once
    [Documentation]    Protects from: a nervous app that pays twice.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at the same time
    ...    the front desk credits 3 classes
    ...    the app sends it twice
    ...    front desk -> deposit.insert
    ...    front desk 2 -> end
    ...    front desk -> end
    Then exactly 2 of them are accepted
    And 8 classes are left
    And no class is lost or given away

T-RULE-310 A key belongs to one request
    [Documentation]    Protects from: "booked", says the app, and no booking stands: it got another request's answer.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And 1 other member with 1 class each
    When the member books the class
    Then the studio accepts it
    When the next request carries the same key
    And the member books the other class
    Then no class is lost or given away
    When the next request carries the same key
    And the member cancels the booking
    Then the studio accepts it
    And 5 classes are left
    And no class is lost or given away

T-RULE-311 A key belongs to one member
    [Documentation]    Protects from: two phones that chose the same key, and one of them booked for nothing.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And 1 other member with 1 class each
    When the member books the class
    Then the studio accepts it
    When the next request carries the same key
    And all other members book the class at once
    Then exactly 1 of them is accepted
    And the class has 2 places taken
    And no class is lost or given away

T-RULE-312 A class that is called off gives every class back
    [Documentation]    Protects from: the studio calls a class off, and whoever cancels then gets nothing back.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And 1 other member with 2 classes each
    When the other member books the class
    And the studio switches the class off
    And the member cancels the booking
    Then the studio accepts it
    And 1 class is given back
    And 5 classes are left
    When the other member cancels her booking
    Then the studio accepts it
    And no class is lost or given away

T-RULE-313 Who was ticked off does not take a place
    [Documentation]    Protects from: a class that counts as full although a place is free.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 1 place
    And 1 other member with 2 classes each
    When the other member books the class
    And the trainer confirms the other member's attendance
    And the member books the class
    Then the studio accepts it
    And the class has 1 place taken
    And no class is lost or given away

T-RULE-314 A class that is booked is not deleted
    [Documentation]    Protects from: a class that vanishes with the bookings of all its members, and nobody gets
    ...    anything back.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And 2 places are taken
    When the studio deletes the class
    Then the studio refuses because the class is booked
    And nothing has changed
    And no class is lost or given away
    And 4 classes are left

T-RULE-315 A class that nobody has booked is deleted
    [Documentation]    Protects from: a schedule that cannot be mended.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When the studio deletes the class
    Then the studio accepts it
    When the member books the class
    Then the studio refuses because the class does not exist
    And 5 classes are left
    And no class is lost or given away

T-RULE-316 The class is deleted while the member books it
    [Documentation]    Protects from: a booking of a class that is not there any more.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at the same time
    ...    the member books the class
    ...    the studio deletes the class
    Then exactly 1 of them is accepted
    And no class is lost or given away

T-RULE-317 Two classes at the same time
    [Documentation]    Protects from: a class paid for and lost to another one. Whether a member may book both is for
    ...    the studio to say (`overlapping_classes` of its environment); ours trusts its members.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 10:30 with 4 places
    And the member has booked the class
    When the member books the other class
    Then the studio accepts it
    And 3 classes are left
    And no class is lost or given away

T-RULE-318 A class that has begun is not booked
    [Documentation]    Protects from: a start that is compared in another zone than the studio's.
    Given a member with 5 classes left
    And a class 30 minutes ago with 4 places
    When the member books the class
    Then the studio refuses because the class has started
    And nothing has changed
    And 5 classes are left
    And no class is lost or given away

T-RULE-319 A class is booked until it begins
    [Documentation]    Protects from: a start that is compared in another zone than the studio's.
    Given a member with 5 classes left
    And a class in 20 minutes with 4 places
    When the member books the class
    Then the studio accepts it
    When the member cancels the booking
    Then the studio accepts it
    And 5 classes are left
    And no class is lost or given away
