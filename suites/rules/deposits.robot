*** Settings ***
Documentation    Which deposit pays, which one a class goes back to, and what happens when its time is over.

Resource         ../../resources/studio.resource

Test Setup       The case begins
Test Teardown    The case ends

Test Tags        rules    category-rules    priority-p0    deposits


*** Test Cases ***
T-RULE-201 An expired deposit is switched off, and keeps its classes
    [Documentation]    Protects from: classes that vanish with the expiry, or a check that does nothing.
    Given the member "edge-two-deposits" on android in Europe/Athens
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And the first deposit has expired since
    When the front desk checks for expired deposits
    Then the studio accepts it
    And 1 deposit is switched off
    And 7 classes are left
    When the front desk checks for expired deposits
    Then the studio accepts it
    And nothing has changed
    When the member cancels the booking
    Then the studio accepts it
    And 8 classes are left
    And 1 deposit is switched off
    And no class is lost or given away

T-RULE-202 A deposit that is good for another day stays
    [Documentation]    Protects from: a check that switches off what is still paid for.
    Given the member "edge-expires-today" on ios in Asia/Tokyo
    And a class tomorrow at 10:00 with 4 places
    When the front desk checks for expired deposits
    Then the studio accepts it
    And 0 deposits are switched off
    When the member books the class
    Then the studio accepts it
    And no class is lost or given away

T-RULE-203 A class goes back to the deposit that paid, also when that was switched off
    [Documentation]    Protects from: a refund that revives a whole deposit, or fills another one.
    Given the member "edge-two-deposits" on android in Europe/Athens
    And a class tomorrow at 10:00 with 4 places
    And the member has booked the class
    And the first deposit is switched off
    When the member cancels the booking
    Then the studio accepts it
    And 1 deposit is switched off
    And 8 classes are left
    When the member books the class
    Then the studio accepts it
    And 7 classes are left
    And no class is lost or given away

T-RULE-204 A moved booking still belongs to the deposit that paid
    [Documentation]    Protects from: a class that goes back to another deposit after a move.
    Given the member "edge-two-deposits" on android in Europe/Athens
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    And the member has booked the class
    And the first deposit has expired since
    When the member moves the booking to the other class
    Then the studio accepts it
    When the front desk removes the booking
    Then 1 class is given back
    And 8 classes are left
    And no class is lost or given away

T-RULE-205 Only whole purchases are credited
    [Documentation]    Protects from: purchases of nothing, of less than nothing, or a single class that cannot be sold.
    Given a member with 2 classes left
    When the front desk credits 0 classes
    Then the studio refuses because the request makes no sense
    And nothing has changed
    When the front desk credits -5 classes
    Then the studio refuses because the request makes no sense
    And nothing has changed
    When the front desk credits 1 class
    Then the studio accepts it
    And 3 classes are left
    And no class is lost or given away

T-RULE-206 The deposit that ends sooner pays first, and each is used to its end
    [Documentation]    Protects from: classes that expire although they could have been used.
    Given the member "edge-three-deposits" on android in Europe/Athens
    And a class tomorrow at 10:00 with 4 places
    And another class tomorrow at 12:00 with 4 places
    When the member books the class
    Then the studio accepts it
    When the member books the other class
    Then the studio accepts it
    When the member cancels the booking
    Then the studio accepts it
    And 2 classes are left
    And no class is lost or given away

T-RULE-207 What was just paid for can be booked
    [Documentation]    Protects from: a deposit that is over, or not yet begun, the moment it is credited.
    Given a member with 0 classes left
    And a class tomorrow at 10:00 with 4 places
    When the member books the class
    Then the studio refuses because no classes are left
    When the front desk credits 2 classes
    And the member books the class
    Then the studio accepts it
    And 1 class is left
    And no class is lost or given away

T-RULE-208 A deposit that has expired does not pay
    [Documentation]    Protects from: classes that are booked on a deposit whose time is over.
    Given a member with 5 classes left
    And a class tomorrow at 10:00 with 4 places
    And the deposit has expired since
    When the member books the class
    Then the studio refuses because no classes are left
    And nothing has changed
    And no class is lost or given away
