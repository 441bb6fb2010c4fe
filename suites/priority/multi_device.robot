*** Settings ***
Documentation    One member, two devices, two time zones: both must tell the same story.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        priority    category-priority    priority-p0    multi-device


*** Test Cases ***
T-MULTI-001 The web page cancels while the phone confirms
    [Documentation]    Protects from: attended and cancelled at once, the class neither used nor given back.
    Given a member with 10 classes left
    And a class in 2 hours with 4 places
    And the member has booked the class
    When at the same time
    ...    the member cancels the booking on web-chrome
    ...    50 ms later
    ...    the member confirms attendance on ios
    Then exactly 1 of them is accepted
    And the answers fit one order of the calls
    And no class is lost or given away

T-MULTI-002 Phone and web page book the same class
    [Documentation]    Protects from: one class booked and paid twice.
    Given a member with 10 classes left
    And a class tomorrow at 10:00 with 4 places
    When at the same time
    ...    the member books the class on android
    ...    the member books the class on web-safari
    Then exactly 1 of them is accepted
    And 9 classes are left
    And no class is lost or given away

T-MULTI-003 A class just before midnight is the same class everywhere
    [Documentation]    Protects from: a member who travels is shown another day, or is told that the class is over.
    Given the member "normal-01" on ios in Asia/Tokyo
    And a class tomorrow at 23:45 with 4 places
    When the member books the class
    Then the studio accepts it
    And the member sees the class at the same instant in Asia/Tokyo
    And the member sees the class at the same instant in US/Eastern
    And no class is lost or given away
