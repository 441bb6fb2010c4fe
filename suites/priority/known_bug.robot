*** Settings ***
Documentation    The bug this suite exists for: a class left the deposit, and no booking stood in the calendar.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority    category-priority    priority-p0    bug


*** Test Cases ***
T-BUG-001 A booking whose answer is lost is still one booking
    [Documentation]    Protects from: the app shows an error, the member books again, and two classes are gone.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    And the answer is lost on the way back
    When the member books the class on android
    Then the studio accepts it
    And the booking stands in the calendar
    And 9 classes are left
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
