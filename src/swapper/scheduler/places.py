"""The place of each waiting ticket, without counting the queue."""

from bisect import bisect_left, insort
from collections.abc import Collection


class Places:
    """Tickets by rank, then by number; the smaller go first. Router thread only.

    Finding a place costs the logarithm of the queue's length; putting one in or taking
    one out moves some memory.
    """

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, list[int]] = {}

    def add(self, rank: float, tickets: Collection[int]) -> None:
        """Put tickets in that are not there."""
        queue = self._queues.setdefault(rank, [])
        for ticket in tickets:
            insort(queue, ticket)

    def remove(self, rank: float, tickets: Collection[int]) -> None:
        """Take tickets out that are there."""
        queue = self._queues[rank]
        if len(tickets) * 8 < len(queue):
            for ticket in tickets:
                del queue[bisect_left(queue, ticket)]
        else:
            gone = set(tickets)
            queue[:] = [ticket for ticket in queue if ticket not in gone]
        if not queue:
            del self._queues[rank]

    def find(self, rank: float, ticket: int) -> int:
        """Return the 1-based place of a ticket that is there."""
        before = sum(len(q) for other, q in self._queues.items() if other < rank)
        return before + bisect_left(self._queues[rank], ticket) + 1
