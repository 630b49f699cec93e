"""A request on its way to a lease, as its caller sees it."""

from collections.abc import Callable
from typing import Final

from swapper.core.clock import Clock
from swapper.core.errors import (
    InboxClosedError,
    ProcessError,
    RequestCancelledError,
    ShuttingDownError,
)
from swapper.router.lease import Lease, Refused, Wait
from swapper.router.messages import (
    Cancel,
    Explain,
    Locate,
    Requeue,
    RouterMessage,
    Submit,
)
from swapper.scheduler import Admission, Standing, Ticket
from swapper.sync import Binding, CancelToken, Reply

NEWS_WITHIN_S: Final = 1.0
"""How long the news of a process's end may take to come after its connection broke."""


class PendingLease:
    """A submitted ticket: wait for it, ask where it stands, or give it up.

    Ends in exactly one of three ways: ``wait`` returns a lease, ``wait`` raises, or
    ``close`` comes first. Whoever made it calls ``close`` in the end. A lease that was
    of no use can be given back once, by ``again``.

    Attributes:
        ticket: what was submitted.
        waited: how it waited for what ``wait`` returned or raised; None if it did not,
            or if that is not known: nobody was asked by who cancelled it.
    """

    __slots__ = (
        "_binding",
        "_clock",
        "_is_second",
        "_post",
        "_reply",
        "_token",
        "ticket",
        "waited",
    )

    def __init__(
        self,
        ticket: Ticket,
        post: Callable[[RouterMessage], None],
        token: CancelToken,
        clock: Clock,
    ) -> None:
        """Submit *ticket*; a cancelled *token* takes it out of the queue again.

        Args:
            ticket: of the request.
            post: see ``RouterLoop.post``.
            token: of the request.
            clock: of the router.

        Raises:
            ShuttingDownError: the router has ended.
        """
        self.ticket = ticket
        self._post = post
        self._token = token
        self._clock = clock
        self._is_second = False
        self._binding: Binding | None
        self.waited: Wait | None = None
        self._reply: Reply[Lease | Refused] = Reply()
        try:
            post(Submit(ticket, self._reply))
        except InboxClosedError:
            raise ShuttingDownError("router") from None
        self._bind()  # a Cancel must come after its Submit

    def wait(self, timeout_s: float | None = None) -> Lease:
        """Return the lease; blocks. One thread.

        Raises:
            TimeoutError: nothing yet; still pending.
            ClientGoneError: the token was cancelled, or ``close`` called, first.
            RequestError: the model cannot serve: unknown, at its limit, failed to
                start, unloaded meanwhile, cancelled, or swapper is ending.
        """
        answer = self._reply.wait(timeout_s)
        if self._binding is not None:
            self._binding.release()
        if isinstance(answer, Lease):
            self.waited = answer.wait or self.waited
            return answer
        if answer.position is not None:
            waited_s = self._clock.monotonic() - self.ticket.arrived_s
            self.waited = Wait(answer.position, waited_s)
        raise answer.error.with_traceback(None)  # one error may answer many callers

    def standing(self) -> Standing | None:
        """Return where the ticket stands at this moment; asks the router thread.

        Returns:
            None if it does not wait any more: then ``wait`` returns or raises at once.
            A ticket just submitted has been decided on by then.
        """
        reply: Reply[Standing | None] = Reply()
        try:
            self._post(Locate(self.ticket.id, reply))
        except InboxClosedError:
            return None
        return reply.wait()

    def again(self, lease: Lease) -> bool:
        """Give back a lease whose run took no byte of the request, and wait once more.

        The ticket keeps its age in the queue. The thread that waits, once.

        Returns:
            Whether ``wait`` is to be called again; False if this was the second
            lease, if the request starts nothing, or if the router has ended.
        """
        if self._is_second or self.ticket.admission is not Admission.SERVE:
            return False
        if not lease.disown():
            return False
        self._is_second = True
        reply: Reply[Lease | Refused] = Reply()
        try:
            self._post(Requeue(self.ticket, lease.run, reply))
        except InboxClosedError:
            return False
        self._reply = reply
        self._bind()
        return True

    def ending(self, lease: Lease) -> ProcessError | None:
        """Return how the lease's run ended by itself; blocks for a moment.

        None if it goes on, was stopped, or the news did not come in time.
        """
        reply: Reply[ProcessError | None] = Reply()
        until = self._clock.monotonic() + NEWS_WITHIN_S
        try:
            self._post(Explain(lease.model, lease.run, until, reply))
        except InboxClosedError:
            return None
        return reply.wait()

    def cancel(self) -> bool:
        """Have ``wait`` raise ``RequestCancelledError``; return whether it will.

        Any thread, never blocks; False if the ticket was answered already.
        """
        if not self._reply.offer(Refused(RequestCancelledError())):
            return False
        self._forget()
        return True

    def close(self) -> None:
        """Give up the wait, or the lease if it has come. Any thread, idempotent."""
        if self._binding is not None:
            self._binding.release()
        if not self._leave():
            answer = self._reply.wait(0)
            if isinstance(answer, Lease):
                answer.done()

    def _bind(self) -> None:
        """Leave if the token is cancelled, unless the answer is there already."""
        self._binding = (
            self._token.bind(self._leave) if self._reply.is_pending else None
        )

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
