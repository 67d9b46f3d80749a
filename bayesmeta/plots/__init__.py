"""Pictures of results: one function each, in a file of its own (`funnel` in funnel_plot.py).

A file NAME_plot.py in this folder with a function NAME is all that a new picture needs to be there,
and in the gallery; type checkers and the reference want a line here and in docs/api, which tests
ask for.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesmeta.plots.absolute_risk_plot import absolute_risk as absolute_risk
    from bayesmeta.plots.baujat_plot import baujat as baujat
    from bayesmeta.plots.bridge_plot import bridge as bridge
    from bayesmeta.plots.forest_plot import forest as forest
    from bayesmeta.plots.funnel_plot import funnel as funnel
    from bayesmeta.plots.galbraith_plot import galbraith as galbraith
    from bayesmeta.plots.joint_plot import joint as joint
    from bayesmeta.plots.kaplan_meier_plot import kaplan_meier as kaplan_meier
    from bayesmeta.plots.labbe_plot import labbe as labbe
    from bayesmeta.plots.normal_qq_plot import normal_qq as normal_qq
    from bayesmeta.plots.number_needed_plot import number_needed as number_needed
    from bayesmeta.plots.prior_posterior_plot import prior_posterior as prior_posterior
    from bayesmeta.plots.probability_curve_plot import probability_curve as probability_curve
    from bayesmeta.plots.refits_plot import refits as refits
    from bayesmeta.plots.response_over_time_plot import response_over_time as response_over_time
    from bayesmeta.plots.risk_of_bias_plot import risk_of_bias as risk_of_bias
    from bayesmeta.plots.risk_of_bias_summary_plot import (
        risk_of_bias_summary as risk_of_bias_summary,
    )
    from bayesmeta.plots.shrinkage_plot import shrinkage as shrinkage
    from bayesmeta.plots.why_they_differ_plot import why_they_differ as why_they_differ

_END = "_plot"


def _names() -> list[str]:
    """Find the plots by the names of the files."""
    found = (module.name for module in iter_modules(__path__))
    return sorted(name.removesuffix(_END) for name in found if name.endswith(_END))


__all__ = _names()


def __getattr__(name: str) -> Any:
    """Import a plot when it is first asked for."""
    if name.startswith("_") or name not in _names():
        raise AttributeError(f"bayesmeta.plots has no {name!r}: there are {', '.join(__all__)}")
    return getattr(import_module(f"bayesmeta.plots.{name}{_END}"), name)


def __dir__() -> list[str]:
    return _names()
