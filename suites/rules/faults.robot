*** Settings ***
Documentation    What the database may do to a call, at each place of it: it happens wholly, or not at all.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        rules    category-rules    priority-p0    faults    thorough


*** Test Cases ***
T-RULE-401 Somebody else is faster, at every point
    [Documentation]    Protects from: a serialization failure after which half of a change stays.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at every point the database fails with 40001 while the member books the class
    Then 5 classes are left
    When the member books the class
    And at every point the database fails with 40001 while the member cancels the booking
    And at every point the database fails with 40001 while the front desk removes the booking
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-402 A deadlock, at every point
    [Documentation]    Protects from: a call that is broken off and yet took or gave something.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at every point the database fails with 40P01 while the member books the class
    Then 5 classes are left
    When the member books the class
    And at every point the database fails with 40P01 while the member cancels the booking
    And at every point the database fails with 40P01 while the front desk removes the booking
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-403 A time-out, at every point
    [Documentation]    Protects from: a booking that takes too long: the class is gone, and nothing is booked.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at every point the database fails with 57014 while the member books the class
    Then 5 classes are left
    When the member books the class
    And at every point the database fails with 57014 while the member cancels the booking
    And at every point the database fails with 57014 while the front desk removes the booking
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-404 The disk is full, at every point
    [Documentation]    Protects from: an error that is swallowed: booked and paid, and the calendar is never told.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at every point the database fails with 53100 while the member books the class
    Then 5 classes are left
    When the member books the class
    And at every point the database fails with 53100 while the member cancels the booking
    And at every point the database fails with 53100 while the front desk removes the booking
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-405 The connection dies at every point
    [Documentation]    Protects from: work that is spread over several transactions.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When at every point the database connection dies while the member books the class
    Then 5 classes are left
    When the member books the class
    And at every point the database connection dies while the member cancels the booking
    And at every point the database connection dies while the front desk removes the booking
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-411 Moving a booking: somebody else is faster, at every point
    [Documentation]    Protects from: a member who has left the old class and is not in the new one.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at every point the database fails with 40001 while the member moves the booking to the other class
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-412 Moving a booking: a deadlock, at every point
    [Documentation]    Protects from: a move that is broken off between the two classes.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at every point the database fails with 40P01 while the member moves the booking to the other class
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-413 Moving a booking: a time-out, at every point
    [Documentation]    Protects from: a move that takes too long, and is half done.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at every point the database fails with 57014 while the member moves the booking to the other class
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-414 Moving a booking: the disk is full, at every point
    [Documentation]    Protects from: an error that is swallowed: moved, and the calendar is never told.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at every point the database fails with 53100 while the member moves the booking to the other class
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away

T-RULE-415 Moving a booking: the connection dies, at every point
    [Documentation]    Protects from: a move that is spread over several transactions.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    When at every point the database connection dies while the member moves the booking to the other class
    Then 4 classes are left
    And the booking stands in the calendar
    And no class is lost or given away
