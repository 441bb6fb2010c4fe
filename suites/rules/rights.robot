*** Settings ***
Documentation    Who may do what: everybody of ``data/access.yaml`` tries everything. A class can also be lost to
...              somebody who was not asked.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        rules    category-rules    priority-p0    rights


*** Test Cases ***
T-RULE-101 Booking for the member
    [Documentation]    Protects from: a stranger spends a member's classes.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody may book the class but those of the access table
    And no class is lost or given away

T-RULE-102 Cancelling the member's booking
    [Documentation]    Protects from: a stranger takes a member out of a class.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody may cancel the booking but those of the access table
    And no class is lost or given away

T-RULE-103 Moving the member's booking
    [Documentation]    Protects from: a stranger sends a member to another class.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody may move the booking but those of the access table
    And no class is lost or given away

T-RULE-104 Removing the member from a class
    [Documentation]    Protects from: members who do what only the front desk does.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody may remove the booking but those of the access table
    And no class is lost or given away

T-RULE-105 Ticking the member off
    [Documentation]    Protects from: a class used up that nobody attended, and staff who cannot do their work.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    Then nobody may confirm attendance but those of the access table
    And no class is lost or given away

T-RULE-106 Selling classes
    [Documentation]    Protects from: members who credit themselves.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may credit classes but those of the access table
    And no class is lost or given away

T-RULE-107 Checking for expired deposits
    [Documentation]    Protects from: deposits switched off by anybody.
    Given a member with 9 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may check for expired deposits but those of the access table
    And no class is lost or given away

T-RULE-111 Profiles
    [Documentation]    Protects from: names and addresses in the open, and members who make themselves administrators.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change profiles but those of the access table
    And no class is lost or given away

T-RULE-112 The schedule
    [Documentation]    Protects from: a schedule that visitors cannot see, and members who plan classes.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change the schedule but those of the access table
    And no class is lost or given away

T-RULE-113 Deposits
    [Documentation]    Protects from: a deposit that a member fills, and one that its owner cannot see.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change deposits but those of the access table
    And no class is lost or given away

T-RULE-114 Bookings
    [Documentation]    Protects from: bookings without a class paid for them, and bookings that vanish.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change bookings but those of the access table
    And no class is lost or given away

T-RULE-115 The schedule with its free places
    [Documentation]    Protects from: a view that is a way around the rules of the tables below it.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change the occupancy but those of the access table
    And no class is lost or given away

T-RULE-116 The audit log
    [Documentation]    Protects from: traces that can be read, or wiped away.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change the audit log but those of the access table
    And no class is lost or given away

T-RULE-117 What the calendar is told
    [Documentation]    Protects from: a calendar that anybody fills.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change calendar events but those of the access table
    And no class is lost or given away

T-RULE-118 Answers that are kept for repeated requests
    [Documentation]    Protects from: answers to other people's requests.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    Then nobody may see or change idempotency keys but those of the access table
    And no class is lost or given away

T-RULE-121 Forged, expired and broken tokens
    [Documentation]    Protects from: a door that opens for whoever says that they are the member.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    Then forged tokens open nothing
    And 4 classes are left
    And no class is lost or given away

T-RULE-122 The front desk books, and the trainer ticks off twice
    [Documentation]    Protects from: staff who cannot do their work, and a class used up twice.
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
