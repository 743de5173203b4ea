"""Reservation: a tuple that is ours under a lease (P16)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native
from .completions import RequestFuture
from .errors import InvalidArgument, KeyConflict, LimitExceeded, Overloaded, StaleLease
from .fields import Tuple, check_duration, make_puts, to_python

if TYPE_CHECKING:
    from . import space

# Nothing has happened, so a reservation is still held (P38).
_REFUSED = (InvalidArgument, LimitExceeded, Overloaded, KeyConflict)
Token = tuple[int, int]


class Reservation:
    """A tuple that is ours under a lease.  As a context manager: finished at the block's end, released if it fails."""

    def __init__(self, space: space.Space, handout: _native.Handout, lease: float = 30.0) -> None:
        self._space = space
        self._handout = handout
        self._lease = lease
        self._begin()
        self.tuple: Tuple = to_python(handout.fields)

    @property
    def id(self) -> int:
        """Of the tuple."""
        return self._handout.id

    @property
    def attempt(self) -> int:
        """How often the tuple has been handed out, this time included."""
        return self._handout.attempt

    @property
    def token(self) -> Token:
        """(tuple id, attempt): what fences off a former holder (P16)."""
        return self._handout.id, self._handout.attempt

    def finish(self, puts: Iterable[Sequence[Any] | _native.Put] = ()) -> None:
        """Remove the tuple and put `puts`, in one step (P17).

        Raises: StaleLease: the reservation had ended; nothing has happened. KeyConflict: the key of one of `puts` was used
            for something else; nothing has happened, the tuple is still held.
        """
        self._end(self._space.native.send_finish([(self.token, make_puts(puts))]), "finish")

    def finish_async(self, puts: Iterable[Sequence[Any] | _native.Put] = ()) -> RequestFuture:
        """`finish` as a future."""
        made = make_puts(puts)
        return self._end_async(lambda: self._space.native.send_finish([(self.token, made)], queue=True), "finish")

    def release(self, started: bool = True, delay: float | None = None) -> None:
        """Give the tuple back; it keeps its age.

        Args: started: it counts against max_attempts (P19). delay: seconds until it is visible again (P18); None: at once.
        """
        check_duration("delay", delay)
        self._end(self._space.native.send_release([self.token], started=started, delay=delay), "release")

    def release_async(self, started: bool = True, delay: float | None = None) -> RequestFuture:
        """`release` as a future."""
        check_duration("delay", delay)
        return self._end_async(
            lambda: self._space.native.send_release([self.token], started=started, delay=delay, queue=True), "release"
        )

    @property
    def over(self) -> bool:
        """Whether it was finished or released here."""
        return self._over

    def finished_elsewhere(self) -> None:
        """A commit has finished it."""
        self._let_go()

    def _begin(self) -> None:
        self._over = False
        self._space.leases.hold(self._space.name, self._handout, self._lease)

    def _let_go(self) -> None:
        self._over = True
        self._space.leases.let_go(self._space.name, self.id, self.attempt)

    def _end(self, request: int, verb: str) -> None:
        self._let_go()
        try:
            codes = self._space.native.client.wait(request)
        except _REFUSED:
            self._begin()
            raise
        self._check(codes, verb)

    def _end_async(self, send: Callable[[], int], verb: str) -> RequestFuture:
        future = self._space.submit(send, lambda codes: self._check(codes, verb))
        self._let_go()  # not before, since what cannot be sent leaves it held
        future.add_done_callback(self._look_whether_refused)
        return future

    def _look_whether_refused(self, future: Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), _REFUSED):
            self._begin()

    def _check(self, codes: Sequence[int], verb: str) -> None:
        if codes[0] == KeyConflict.code:
            self._begin()
            raise KeyConflict(
                f"{verb} of tuple {self.id}: a key was used for another tuple or other attributes; nothing has "
                "happened, use a new key for something new"
            )
        if codes[0]:
            raise StaleLease(
                f"{verb} of tuple {self.id}, attempt {self.attempt}: the reservation had ended, "
                "by its lease or a lost connection; nothing has happened"
            )

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._over:
            return
        if kind is None:
            self.finish()
            return
        try:
            self.release()
        except StaleLease:
            return  # it is back in the space already, and the block's own error matters more

    def __repr__(self) -> str:
        return f"<linden.Reservation {self.tuple!r}, attempt {self.attempt}>"
