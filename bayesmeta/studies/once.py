"""What a table takes out of its frame once, and keeps."""

from collections.abc import Callable
from functools import wraps
from typing import Protocol, cast


class Taken(dict[str, object]):
    """What was taken so far, by the method's name. Copies and pickles of a table begin anew."""

    def __reduce__(self) -> tuple[type["Taken"], tuple[()]]:
        return Taken, ()


class Keeps(Protocol):
    """A table that never changes, so that what was taken from it may be kept."""

    @property
    def _taken(self) -> Taken: ...


def once[Table: Keeps, T](take: Callable[[Table], T]) -> Callable[[Table], T]:
    """Make a method work when it is first called, and give the same result again."""

    @wraps(take)
    def kept(table: Table) -> T:
        name = take.__name__
        if name not in table._taken:
            table._taken[name] = take(table)
        return cast("T", table._taken[name])

    return kept
