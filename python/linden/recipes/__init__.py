"""Coordination on top of tuples, a module for each recipe; `docs/howto/recipes.md` shows them at work.

    from linden import recipes

    space = recipes.open_space(linden.connect())
    with recipes.Lock(space, "index") as lock:
        rebuild(fence=lock.fence)

Whoever holds something and is killed gives it back: a reservation ends with its session's hold time, and so do tuples that
belong to a session.  Constructors neither wait nor talk to the server; calls that wait take `timeout` in seconds, None for ever,
and raise NoMatch, which is a TimeoutError.
"""

from .bag import Bag, GaveUp, Work
from .barrier import Barrier
from .counter import Counter
from .leader import Election, Leader
from .lock import Lock
from .queue import Delivery, Queue
from .recipe import open_space
from .rendezvous import Rendezvous
from .semaphore import Permit, Semaphore

__all__ = [
    "open_space",
    "Lock",
    "Semaphore",
    "Permit",
    "Barrier",
    "Counter",
    "Queue",
    "Delivery",
    "Bag",
    "Work",
    "GaveUp",
    "Rendezvous",
    "Election",
    "Leader",
]
