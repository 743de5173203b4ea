"""What is done to a space rather than with it: dead tuples are revived, and what matches is paused or drained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from . import _native
from .completions import RequestFuture
from .fields import Template, Tuple, check_id, make_form, several, to_python


class Upkeep:
    """The part of `linden.Space` for those who look after it."""

    _native: _native.Space
    submit: Callable[..., RequestFuture]
    describe: Callable[..., Iterator[dict[str, Any]]]

    # ---- dead tuples

    def dead(self, template: Template | None = None) -> Iterator[tuple[int, Tuple]]:
        """The tuples whose attempts are used up (P19), oldest first, each with its id for `revive`."""
        for row in self.describe(template, dead=True):
            yield row["id"], to_python(row["fields"])

    def revive(self, template: Template | None = None, *, ids: Iterable[int] | None = None) -> int:
        """Make dead tuples free again, with their age, as if they had never been handed out (P19).

        Args: template: only those that match; the oldest 100,000. ids: only those with these ids, instead.
        Returns: how many there were.
        """
        return _done(self._native.client.wait(self._send_revive(template, ids)))

    def revive_async(self, template: Template | None = None, *, ids: Iterable[int] | None = None) -> RequestFuture:
        """`revive` as a future."""
        return self.submit(lambda: self._send_revive(template, ids, queue=True), _done)

    def _send_revive(self, template: Template | None, ids: Iterable[int] | None, queue: bool = False) -> int:
        if ids is not None and template is not None:
            raise TypeError("revive takes a template or ids, not both")
        chosen = None if ids is None else [check_id(id) for id in several(ids, "id")]
        return self._native.send_revive(chosen, _form(template), queue=queue)

    # ---- pauses and drains

    def pause(self, template: Template | None = None) -> bool:
        """Hand out nothing that matches `template`, or nothing at all, from now on: takes and reservations wait.

        Reads, counts and iterations still see it, and puts go on. What is reserved already may be finished. It stays so
        until `resume`, also when the server is started again.
        Returns: False if it was paused already.
        """
        return _done(self._native.client.wait(self._native.send_pause(_form(template)))) > 0

    def pause_async(self, template: Template | None = None) -> RequestFuture:
        """`pause` as a future."""
        form = _form(template)
        return self.submit(lambda: self._native.send_pause(form, queue=True), _any_done)

    def drain(self, template: Template | None = None) -> bool:
        """Refuse puts of what matches `template`, or all puts, from now on, with Overloaded; takes go on.

        What finishes or takes something may put something in the same step, so work that is under way ends well. It
        stays so until `resume`, also when the server is started again.
        Returns: False if it was drained already.
        """
        return _done(self._native.client.wait(self._native.send_pause(_form(template), drain=True))) > 0

    def drain_async(self, template: Template | None = None) -> RequestFuture:
        """`drain` as a future."""
        form = _form(template)
        return self.submit(lambda: self._native.send_pause(form, drain=True, queue=True), _any_done)

    def resume(self, template: Template | None = None, *, all: bool = False) -> int:
        """End the pause and the drain of exactly this template, or of the whole space; those who wait are served.

        Args: all: end whatever is set.
        Returns: how many of them have ended.
        """
        return _done(self._native.client.wait(self._native.send_resume(_form(template), all=all)))

    def resume_async(self, template: Template | None = None, *, all: bool = False) -> RequestFuture:
        """`resume` as a future."""
        form = _form(template)
        return self.submit(lambda: self._native.send_resume(form, all=all, queue=True), _done)

    def pauses(self) -> list[dict[str, Any]]:
        """What is paused and drained, in the order in which it was set.

        Returns: of each kind: "pause" or "drain"; template: as text, or None for the whole space; set_by: what the client
            called itself; set_for: seconds since then; tuples: how many free ones match.
        """
        return list(self._native.client.wait(self._native.send_pauses()))

    def pauses_async(self) -> RequestFuture:
        """`pauses` as a future."""
        return self.submit(lambda: self._native.send_pauses(queue=True), list)


def _form(template: Template | None) -> tuple[Any, ...] | None:
    return None if template is None else make_form(template)


def _done(codes: Sequence[int]) -> int:
    return sum(not code for code in codes)


def _any_done(codes: Sequence[int]) -> bool:
    return _done(codes) > 0
