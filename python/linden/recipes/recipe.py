"""What all recipes share: a space that was made for them, and how their tuples come into it exactly once.

Most recipes rest on tuples of which there must be one, such as the one that whoever holds a lock has reserved.  Two who
use a lock for the first time must not both put it.  So a space for recipes is created with a seed, in one step with the
space itself, and only who has reserved the seed may set up a recipe.  What was set up is described by a tuple that stays:

    ("recipe", kind, name, [settings])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import _native
from ..connection import Connection
from ..fields import make_put
from ..space import Space

SEED = ("recipe-seed",)
_SETUP_S = 30.0


def open_space(connection: Connection, name: str = "coordination", *, durability: str | None = None) -> Space:
    """A space for recipes: opened, or created with what they need.

    Args: durability: of a new one; the server's default is right unless coordination need not outlive the server.
    """
    return connection.space(name, durability=durability, initial=[make_put(SEED)])


class Recipe:
    """One recipe by name: all who use the same kind and name in the same space mean the same thing."""

    kind = "recipe"

    def __init__(self, space: Space, name: str, settings: Sequence[int] = ()) -> None:
        self._space = space
        self._name = name
        self._settings = list(settings)
        self._is_set_up = False

    @property
    def name(self) -> str:
        """What its users call it."""
        return self._name

    @property
    def space(self) -> Space:
        """Where it lives."""
        return self._space

    def _parts(self) -> Sequence[Sequence[Any] | _native.Put]:
        """The tuples that it begins with."""
        return ()

    def _set_up(self) -> Space:
        """Makes sure that it is there, and returns its space.

        Raises: ValueError: it is there with other settings, or the space was not made for recipes.
        """
        if not self._is_set_up:
            if not self._is_there():
                self._create()
            self._is_set_up = True
        return self._space

    def _is_there(self) -> bool:
        found = self._space.try_read(("recipe", self.kind, self._name, list))
        if found is None:
            return False
        if found[3] != self._settings:
            raise ValueError(
                f"{self.kind} {self._name!r} was set up with {found[3]}, not {self._settings}; use the same everywhere, "
                "or another name"
            )
        return True

    def _create(self) -> None:
        if not any(True for _ in self._space.describe(SEED)):
            raise ValueError(
                f"space {self._space.name!r} was not made for recipes; open one with linden.recipes.open_space(connection)"
            )
        with self._space.reserve(SEED, timeout=_SETUP_S) as seed:
            if self._is_there():
                seed.release()
            else:
                seed.finish([SEED, ("recipe", self.kind, self._name, self._settings), *self._parts()])

    def _put_of_session(self, fields: Sequence[Any], session: str | None = None) -> _native.Put:
        """A tuple that vanishes with `session`, by default our own."""
        return make_put(fields, lives_with=session or self._space.native.client.session)

    def __repr__(self) -> str:
        return f"<linden.recipes.{type(self).__name__} {self._name!r} in space {self._space.name!r}>"
