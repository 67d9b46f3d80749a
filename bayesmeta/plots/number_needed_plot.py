"""The number needed to treat over the baseline risk, on an axis that passes through infinity."""

from typing import TYPE_CHECKING, Literal

from bayesmeta.errors import ModelError
from bayesmeta.inference.absolute_risk import Direction
from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.baseline_curves import baseline_curves
from bayesmeta.plots.style import BLUE, GREY, INK, add_legend, make_axes, set_percent, tidy, widen

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NUMBERS = (2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)
_APART = 0.06  # least distance of two ticks, in heights of the axis


def number_needed(
    post: Posterior,
    baseline: tuple[float, float] = (0.01, 0.99),
    *,
    better: Direction,
    parameter: Literal["mu", "theta_new"] = "mu",
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the number needed to treat over the baseline risk, with its interval.

    The axis is even in the risk difference and labelled with its reciprocal: numbers needed for one
    more patient with benefit (NNTB) above, with harm (NNTH) below, and no difference (infinity)
    between them, so that an interval through infinity is one band (Altman 1998, BMJ 317:1309).

    Parameters
    ----------
    post : Posterior
        Of an odds ratio, risk ratio or risk difference.
    baseline : (float, float)
        Range of the risk without treatment.
    better : {"higher", "lower"}
        Whether more or fewer events are good.
    parameter : {"mu", "theta_new"}
        For the mean effect, or for that of a new study.
    level : float
        Probability of the interval.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x the risk, from 0 to 1; y the risk difference in the direction of benefit.

    Raises
    ------
    ModelError
        Another measure, an unknown parameter, or a range, direction or level that is none.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.number_needed(bm.fit(model, bm.load("bcg")), (0.01, 0.3), better="lower")
    >>> ax.get_yticklabels()[0].get_text()
    '∞'
    """
    if better not in ("higher", "lower"):
        raise ModelError(f'better = {better!r} is neither "higher" nor "lower"')
    curves = baseline_curves(post, baseline, parameter=parameter, level=level)
    benefit = curves.difference if better == "higher" else -curves.difference[:, ::-1]
    ax = make_axes() if ax is None else ax
    low, median, high = benefit.T
    what = "mean effect" if parameter == "mu" else "effect of a new study"
    ax.fill_between(curves.baseline, low, high, color=BLUE, alpha=0.25, linewidth=0,
                    label=f"{100 * level:g}% interval")  # fmt: skip
    ax.plot(curves.baseline, median, color=BLUE, label=f"{what}, median")
    ax.axhline(0, color=GREY, linewidth=0.8, linestyle="--", zorder=0)
    ax.set_xlim(*baseline)
    ends = widen(min(float(low.min()), 0.0), max(float(high.max()), 0.0))
    ax.set_ylim(*ends)
    ticks = needed_ticks(*ends)
    ax.set_yticks([at for at, _ in ticks], [label for _, label in ticks])
    set_percent(ax.xaxis)
    ax.set_xlabel("risk without treatment", color=INK)
    ax.set_ylabel("number needed to treat", color=INK)
    tidy(ax)
    add_legend(ax, columns=2)
    return ax


def needed_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Choose ticks on an axis of risk differences, benefit upwards: place and number needed.

    Examples
    --------
    >>> [label for _, label in needed_ticks(-0.06, 0.3)]
    ['∞', 'NNTB 4', 'NNTB 5', 'NNTB 7', 'NNTB 10', 'NNTB 15', 'NNTB 30', 'NNTH 20']
    """
    ticks = [(0.0, "∞")]
    for sign, kind in ((1, "NNTB"), (-1, "NNTH")):
        for number in _NUMBERS:
            at = sign / number
            apart = min(abs(at - other) for other, _ in ticks) >= _APART * (high - low)
            if low <= at <= high and apart:
                ticks.append((at, f"{kind} {number}"))
    return ticks
