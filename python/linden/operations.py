"""What spaces and transactions have in common: tuples are taken, read and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import _native
from .completions import Completions, RequestFuture
from .errors import NoMatch
from .fields import (
    Template,
    Tuple,
    check_count,
    check_duration,
    check_timeout,
    make_form,
    make_forms,
    make_put,
    to_python,
)

Tuples = list[Tuple]
Handouts = list[_native.Handout]


class Operations:
    """The part of `linden.Space` that `linden.Transaction` has too."""

    def __init__(self, native: _native.Space, completions: Completions, transaction: int = 0) -> None:
        """`transaction`: the number of the one that all of this belongs to; 0: none."""
        self._native = native
        self._client = native.client
        self._completions = completions
        self._transaction = transaction

    # ---- take and read

    def take(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Remove and return the oldest tuple that matches *template* (Linda ``in``).

        Args: template: n fields, each a value, a type, ANY, Between, Prefix or OneOf. timeout: seconds; 0 does not
            wait, None waits for ever.
        Returns: a tuple of n fields that no other client will get.
        Raises: NoMatch: nothing in time.
        """
        return to_python(self._wait_take(_native.TAKE, [template], 1, timeout)[0].fields)

    def read(self, template: Template, *, timeout: float | None = None) -> Tuple:
        """Return the oldest tuple that matches, and leave it there (Linda ``rd``)."""
        return to_python(self._wait_take(_native.READ, [template], 1, timeout)[0].fields)

    def try_take(self, template: Template) -> Tuple | None:
        """`take` without waiting; None if nothing matches (Linda ``inp``)."""
        return or_none(lambda: self.take(template, timeout=0))

    def try_read(self, template: Template) -> Tuple | None:
        """`read` without waiting; None if nothing matches (Linda ``rdp``)."""
        return or_none(lambda: self.read(template, timeout=0))

    def take_many(self, template: Template, n: int, *, timeout: float | None = 0) -> Tuples:
        """Take at least one and at most `n` matching tuples (P15); an empty list if there is none in time."""
        return self._wait_many(_native.TAKE, template, n, timeout)

    def take_async(self, template: Template, *, timeout: float | None = None) -> RequestFuture:
        """`take` as a future; cancelling it ends the take."""
        return self._submit_take(_native.TAKE, [template], timeout, _first)

    def read_async(self, template: Template, *, timeout: float | None = None) -> RequestFuture:
        """`read` as a future."""
        return self._submit_take(_native.READ, [template], timeout, _first)

    def try_take_async(self, template: Template) -> RequestFuture:
        """`try_take` as a future."""
        return self._submit_take(_native.TAKE, [template], 0, _first, none=True)

    def try_read_async(self, template: Template) -> RequestFuture:
        """`try_read` as a future."""
        return self._submit_take(_native.READ, [template], 0, _first, none=True)

    def take_many_async(self, template: Template, n: int, *, timeout: float | None = 0) -> RequestFuture:
        """`take_many` as a future."""
        return self._submit_many(_native.TAKE, template, n, timeout)

    def count(self, template: Template) -> int:
        """How many free tuples match; in a transaction, its own puts included."""
        return int(self._client.wait(self._native.send_count(make_form(template), transaction=self._transaction)))

    def count_async(self, template: Template) -> RequestFuture:
        """`count` as a future."""
        form = make_form(template)
        return self.submit(lambda: self._native.send_count(form, transaction=self._transaction, queue=True), int)

    # ---- inside

    def _make_put(self, fields: Sequence[Any], *, session: bool = False, **attributes: Any) -> _native.Put:
        return make_put(fields, lives_with=self._client.session if session else None, **attributes)

    def _wait_many(self, mode: int, template: Template, n: int, timeout: float | None) -> Tuples:
        check_count("n", n)
        try:
            return _all(self._wait_take(mode, [template], n, timeout))
        except NoMatch:
            return []

    def _submit_many(self, mode: int, template: Template, n: int, timeout: float | None) -> RequestFuture:
        check_count("n", n)
        return self._submit_take(mode, [template], timeout, _all, n, none=True)

    def _wait_take(
        self,
        mode: int,
        templates: Sequence[Template],
        count: int,
        timeout: float | None,
        lease: float = 30.0,
    ) -> Handouts:
        check_timeout(timeout)
        check_duration("lease", lease)
        forms = make_forms(templates)
        request = self._native.send_take(
            mode, forms, count=count, timeout=timeout, lease=lease, transaction=self._transaction
        )
        try:
            return list(self._client.wait(request))
        except Exception:
            raise
        except BaseException:  # Ctrl-C: what was on its way must not be lost
            self._native.cancel(request)
            self._give_back(mode, request)
            raise

    def _submit_take(
        self,
        mode: int,
        templates: Sequence[Template],
        timeout: float | None,
        convert: Callable[[Any], Any],
        count: int = 1,
        lease: float = 30.0,
        none: bool = False,
    ) -> RequestFuture:
        check_timeout(timeout)
        check_duration("lease", lease)
        forms = make_forms(templates)
        return self.submit(
            lambda: self._native.send_take(
                mode, forms, count=count, timeout=timeout, lease=lease, transaction=self._transaction, queue=True
            ),
            convert,
            lambda handouts: self._return_handouts(mode, handouts),
            none=none,
        )

    def _give_back(self, mode: int, request: int) -> None:
        """What is on its way to a request that was cancelled.  In a transaction its end decides."""

    def _return_handouts(self, mode: int, handouts: Handouts) -> None:
        """What has come to a future that nobody looks at.  In a transaction its end decides."""

    def submit(
        self,
        send: Callable[[], int],
        convert: Callable[[Any], Any],
        give_back: Callable[[Any], None] | None = None,
        *,
        none: bool = False,
    ) -> RequestFuture:
        """The future of a native request, which `send` makes with queue=True.  For modules of this package."""
        return self._completions.submit(send, convert, self._native.cancel, give_back, none)


def or_none(call: Callable[[], Any]) -> Any:
    """What `call` returns; None if there was no match."""
    try:
        return call()
    except NoMatch:
        return None


def _first(found: Handouts | None) -> Tuple | None:
    return to_python(found[0].fields) if found else None


def _all(found: Handouts | None) -> Tuples:
    return [to_python(handout.fields) for handout in found or ()]
