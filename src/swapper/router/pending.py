"""A request on its way to a lease, as its caller sees it."""

from collections.abc import Callable

from swapper.core.errors import (
    InboxClosedError,
    RequestCancelledError,
    RequestError,
    ShuttingDownError,
)
from swapper.router.lease import Lease
from swapper.router.messages import Cancel, Locate, RouterMessage, Submit
from swapper.scheduler import Ticket
from swapper.sync import CancelToken, Reply


class PendingLease:
    """A submitted ticket: wait for it, ask where it stands, or give it up.

    Ends in exactly one of three ways: ``wait`` returns a lease, ``wait`` raises, or
    ``close`` comes first. Whoever made it calls ``close`` in the end.
    """

    __slots__ = ("_binding", "_post", "_reply", "ticket")

    def __init__(
        self,
        ticket: Ticket,
        post: Callable[[RouterMessage], None],
        token: CancelToken,
    ) -> None:
        """Submit *ticket*; a cancelled *token* takes it out of the queue again.

        Args:
            ticket: of the request.
            post: see ``RouterLoop.post``.
            token: of the request.

        Raises:
            ShuttingDownError: the router has ended.
        """
        self.ticket = ticket
        self._post = post
        self._reply: Reply[Lease | RequestError] = Reply()
        try:
            post(Submit(ticket, self._reply))
        except InboxClosedError:
            raise ShuttingDownError("router") from None
        self._binding = token.bind(self._leave)  # a Cancel must come after its Submit

    def wait(self, timeout_s: float | None = None) -> Lease:
        """Return the lease; blocks. One thread.

        Raises:
            TimeoutError: nothing yet; still pending.
            ClientGoneError: the token was cancelled, or ``close`` called, first.
            RequestError: the model cannot serve: unknown, at its limit, failed to
                start, unloaded meanwhile, cancelled, or swapper is ending.
        """
        answer = self._reply.wait(timeout_s)
        self._binding.release()
        if isinstance(answer, RequestError):
            raise answer.with_traceback(None)  # one error may answer many callers
        return answer

    def place(self) -> int | None:
        """Return where the ticket stands at this moment; asks the router thread.

        Returns:
            Its 1-based place among the tickets that wait for room; 0 if its model is
            being loaded; None if it does not wait any more: then ``wait`` returns or
            raises at once. A ticket just submitted has been decided on by then.
        """
        reply: Reply[int | None] = Reply()
        try:
            self._post(Locate(self.ticket.id, reply))
        except InboxClosedError:
            return None
        return reply.wait()

    def cancel(self) -> bool:
        """Have ``wait`` raise ``RequestCancelledError``; return whether it will.

        Any thread, never blocks; False if the ticket was answered already.
        """
        if not self._reply.offer(RequestCancelledError()):
            return False
        self._forget()
        return True

    def close(self) -> None:
        """Give up the wait, or the lease if it has come. Any thread, idempotent."""
        self._binding.release()
        if not self._leave():
            answer = self._reply.wait(0)
            if isinstance(answer, Lease):
                answer.done()

    def _leave(self) -> bool:
        has_left = self._reply.abandon()
        if has_left:
            self._forget()
        return has_left

    def _forget(self) -> None:
        try:
            self._post(Cancel(self.ticket.id))
        except InboxClosedError:
            return  # it knows nobody any more
