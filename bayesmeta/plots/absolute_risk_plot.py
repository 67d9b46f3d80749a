"""Risk with treatment over the risk without it."""

from typing import TYPE_CHECKING, Literal

from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.baseline_curves import baseline_curves
from bayesmeta.plots.style import BLUE, GREY, INK, add_legend, make_axes, set_percent, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def absolute_risk(
    post: Posterior,
    baseline: tuple[float, float] = (0.01, 0.99),
    *,
    parameter: Literal["mu", "theta_new"] = "mu",
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the risk with treatment over the baseline risk, with its interval.

    The numbers are those of `Posterior.absolute_risk`. On the diagonal the treatment does nothing.

    Parameters
    ----------
    post : Posterior
        Of an odds ratio, risk ratio or risk difference.
    baseline : (float, float)
        Range of the risk without treatment.
    parameter : {"mu", "theta_new"}
        For the mean effect, or for that of a new study.
    level : float
        Probability of the interval.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        Risks from 0 to 1 on both.

    Raises
    ------
    ModelError
        Another measure, an unknown parameter, or a range or level that is none.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.absolute_risk(bm.fit(model, bm.load("bcg")), (0.01, 0.5))
    >>> ax.get_xlabel()
    'risk without treatment'
    """
    curves = baseline_curves(post, baseline, parameter=parameter, level=level)
    ax = make_axes(4.2, 3.9) if ax is None else ax
    low, median, high = curves.risk.T
    what = "mean effect" if parameter == "mu" else "effect of a new study"
    ax.fill_between(curves.baseline, low, high, color=BLUE, alpha=0.25, linewidth=0,
                    label=f"{100 * level:g}% interval")  # fmt: skip
    ax.plot(curves.baseline, median, color=BLUE, label=f"{what}, median")
    ax.plot(baseline, baseline, "--", color=GREY, linewidth=1.0, label="no effect")
    ax.set_xlim(*baseline)
    ax.set_ylim(0, min(1.0, 1.05 * float(max(high.max(), baseline[1]))))
    for axis in (ax.xaxis, ax.yaxis):
        set_percent(axis)
    ax.set_xlabel("risk without treatment", color=INK)
    ax.set_ylabel("risk with treatment", color=INK)
    tidy(ax)
    add_legend(ax, columns=2)
    return ax
