"""Threads talking to threads: inbox, one-shot reply, cancel token, owner thread.

The only package that makes threads and, with the small containers named in
docs/design/router.md, the only one that takes locks.
"""

from swapper.sync.inbox import Inbox
from swapper.sync.reply import Reply
from swapper.sync.service import OwnerThread
from swapper.sync.token import Binding, CancelToken

__all__ = ["Binding", "CancelToken", "Inbox", "OwnerThread", "Reply"]
