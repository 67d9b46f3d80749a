"""Where the figures of plots come from: pyplot, as in other libraries, or nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 150  # of a PNG, where it is not said how many
_OF_PYPLOT = ContextVar("figures are known to pyplot", default=True)


def make_figure(width: float, height: float) -> "Figure":
    """Make a figure; inches. It is pyplot's current one: notebooks and `plt.show()` show it."""
    if _OF_PYPLOT.get():
        from matplotlib.pyplot import figure

        return figure(figsize=(width, height), dpi=_DPI)
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI)


@contextmanager
def without_pyplot() -> Iterator[None]:
    """Let plots make figures that pyplot does not know: nothing to close, and no window.

    Examples
    --------
    >>> with without_pyplot():
    ...     figure = make_figure(4, 3)
    >>> figure.canvas.manager is None
    True
    """
    before = _OF_PYPLOT.set(False)
    try:
        yield
    finally:
        _OF_PYPLOT.reset(before)
