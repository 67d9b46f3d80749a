"""What an object that never changes works out once, and keeps."""

from collections.abc import Callable
from functools import wraps
from typing import Protocol, cast


class Taken(dict[str, object]):
    """What was taken so far, by the method's name. Copies and pickles begin anew."""

    def __reduce__(self) -> tuple[type["Taken"], tuple[()]]:
        return Taken, ()


class Keeps(Protocol):
    """An object that never changes, so that what was taken from it may be kept."""

    @property
    def _taken(self) -> Taken: ...


def once[Owner: Keeps, T](take: Callable[[Owner], T]) -> Callable[[Owner], T]:
    """Make a method work when it is first called, and give the same result again."""

    @wraps(take)
    def kept(owner: Owner) -> T:
        name = take.__name__
        if name not in owner._taken:
            owner._taken[name] = take(owner)
        return cast("T", owner._taken[name])

    return kept
