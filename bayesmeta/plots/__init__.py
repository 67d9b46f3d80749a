"""Pictures of results: one function each, in a file of its own (`funnel` in funnel_plot.py)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmeta.plots.bridge_plot import bridge as bridge
    from bayesmeta.plots.forest_plot import forest as forest
    from bayesmeta.plots.why_they_differ_plot import why_they_differ as why_they_differ

_FUNCTIONS = {
    "bridge": "bridge_plot",
    "forest": "forest_plot",
    "why_they_differ": "why_they_differ_plot",
}  # by the module of each

__all__ = list(_FUNCTIONS)


def __getattr__(name: str) -> Any:
    """Import a plot when it is first asked for."""
    if name not in _FUNCTIONS:
        raise AttributeError(f"bayesmeta.plots has no {name!r}: there are {', '.join(_FUNCTIONS)}")
    return getattr(import_module(f"bayesmeta.plots.{_FUNCTIONS[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_FUNCTIONS)
