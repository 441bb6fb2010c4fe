*** Settings ***
Documentation    Who may do what. A class can also be lost to somebody who was not asked.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        rules    category-rules    priority-p0    rights


*** Test Cases ***
T-RULE-101 Nobody books, cancels or moves for the member
    [Documentation]    Protects from: a stranger spends a member's classes.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody else may book the class for the member
    Given the member has booked the class
    Then nobody else may cancel the booking
    And nobody else may move the booking to the other class
    And nobody else may confirm attendance
    And 4 classes are left
    And no class is lost or given away

T-RULE-102 What the front desk does only the front desk does
    [Documentation]    Protects from: members who credit themselves, or remove others.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    Then only the front desk may remove the booking
    And only the front desk may credit classes
    And only the front desk may check for expired deposits
    And no class is lost or given away

T-RULE-103 Everybody sees the schedule, and nobody a stranger's rows
    [Documentation]    Protects from: names and addresses in the open, and a schedule that visitors cannot see.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    Then others do not see the member's profile
    And others do not see the member's deposits
    And others do not see the member's bookings
    And others do not see the member's audit log
    And everybody sees the schedule
    And no class is lost or given away

T-RULE-104 Nobody writes the tables themselves
    [Documentation]    Protects from: a deposit that a member fills, a booking without a place.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    Then nobody writes around the studio
    And no class is lost or given away

T-RULE-105 The trainer ticks off, and the front desk acts for the member
    [Documentation]    Protects from: staff who cannot do their work.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    When the front desk books the class for the member
    Then the studio accepts it
    When the trainer confirms attendance
    Then the studio accepts it
    When the trainer confirms attendance
    Then the studio accepts it
    And nothing has changed
    And 4 classes are left
    And no class is lost or given away
