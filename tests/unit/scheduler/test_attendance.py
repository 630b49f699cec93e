"""Who waits and who is served."""

from swapper.core.ids import ModelId, TicketId
from swapper.scheduler.attendance import Attendance
from tests.fakes.scheduling import ticket

A, B = ModelId("a"), ModelId("b")


def test_waiting_is_counted_and_added_up() -> None:
    crowd = Attendance()
    for one in (ticket(1, "a"), ticket(4, "a"), ticket(2, "b")):
        crowd.waits(one)

    assert crowd.waiting == 3
    assert (crowd.waiting_for(A), crowd.waiting_for(B)) == (2, 1)
    assert crowd.waited_s(A, 10.0) == 9.0 + 6.0
    assert crowd.waited_s(ModelId("c"), 10.0) == 0.0


def test_served_do_not_wait_and_the_last_to_leave_is_told() -> None:
    crowd = Attendance()
    for number in (1, 2):
        crowd.waits(ticket(number, "a"))
        crowd.serves(ticket(number, "a"))

    assert crowd.waiting == 0
    assert crowd.waited_s(A, 10.0) == 0.0
    assert crowd.leaves(TicketId(1)) is None
    assert crowd.leaves(TicketId(2)) == A
    assert crowd.leaves(TicketId(2)) is None


def test_who_gives_up_while_being_served_is_still_served() -> None:
    crowd = Attendance()
    crowd.waits(ticket(1, "a"))
    crowd.gives_up(TicketId(1))
    crowd.serves(ticket(2, "a"))
    crowd.gives_up(TicketId(2))
    crowd.gives_up(TicketId(3))

    assert crowd.waiting == 0
    assert crowd.leaves(TicketId(1)) is None
    assert crowd.leaves(TicketId(2)) == A


def test_who_waits_and_leaves_makes_nothing_idle() -> None:
    crowd = Attendance()
    crowd.waits(ticket(1, "a"))

    assert crowd.leaves(TicketId(1)) is None
    assert crowd.waiting == crowd.waiting_for(A) == 0
