"""Keywords about people: the member, other members, what is left in their deposits."""

from __future__ import annotations

from robot.api.deco import keyword, library

from acceptance import current
from acceptance.invariants.deposits import classes as in_words


@library(scope="GLOBAL", auto_keywords=False)
class MemberKeywords:
    """Makes members with their deposits and checks what is left."""

    @keyword
    def create_member_of_profile(self, profile: str, device: str, zone: str) -> None:
        """Makes the scenario's member from a profile of ``data/users.yaml``.

        | =Argument=  | =Meaning= |
        | ``profile`` | the profile's id, for example ``edge-last-class`` |
        | ``device``  | a client profile of ``data/devices.yaml``, for example ``android`` |
        | ``zone``    | the member's own time zone, for example ``Asia/Tokyo`` |

        Example:
        | Create Member Of Profile | normal-01 | android | Europe/Athens |
        """
        current.case().add_profile(profile, device, zone)

    @keyword
    def create_member(self, classes: str) -> None:
        """Makes the scenario's member with one deposit, for example of ``3 classes``.

        Example:
        | Create Member | 3 classes |
        """
        current.case().add_member("member", current.count(classes))

    @keyword
    def remove_the_deposits(self) -> None:
        """Lets the member have no deposit at all.

        Example:
        | Remove The Deposits |
        """
        current.case().drop_deposits()

    @keyword
    def expire_the_deposits(self) -> None:
        """Lets the time of the member's deposits be over since a second ago.

        Example:
        | Expire The Deposits |
        """
        case = current.case()
        case.have_expiry_alone()
        case.expire_deposits()

    @keyword
    def end_the_first_deposit(self, *, expire: bool = True) -> None:
        """Lets the deposit that pays next expire a second ago; with ``expire=False`` the studio switches it off.

        Example:
        | End The First Deposit | expire=${False} |
        """
        case = current.case()
        if expire:
            case.have_expiry_alone()
        case.end_first_deposit(expire=expire)

    @keyword
    def deposits_switched_off_should_be(self, count: str) -> None:
        """Checks how many of the member's deposits are switched off.

        Example:
        | Deposits Switched Off Should Be | 1 |
        """
        case = current.case()
        mine = [row for row in case.before().deposits if row["user_id"] == case.people["member"].user_id]
        off, expected = sum(not row["is_active"] for row in mine), current.count(count)
        case.expect(off == expected, f"expected {expected} deposits switched off, but {off} of {len(mine)} are.")

    @keyword
    def create_other_members(self, count: str, classes: str) -> None:
        """Makes further members, each with one deposit.

        Example:
        | Create Other Members | 12 | 1 class |
        """
        current.case().add_others(current.count(count), current.count(classes))

    @keyword
    def classes_left_should_be(self, count: str) -> None:
        """Checks how many classes all deposits of the member hold together.

        Example:
        | Classes Left Should Be | 2 |
        """
        case = current.case()
        member = case.people["member"].user_id
        left = sum(row["deposit_remaining"] for row in case.before().deposits if row["user_id"] == member)
        expected = current.count(count)
        case.expect(left == expected, f"expected {in_words(expected)} left, but the deposits hold {in_words(left)}.")
