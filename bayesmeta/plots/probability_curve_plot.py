"""P(effect < c) as a curve over c, for the mean effect and that of a new study."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.effect_axis import null_value, set_effect_axis
from bayesmeta.plots.style import BLUE, GREY, INK, add_legend, make_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POINTS = 401


def probability_curve(post: Posterior, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the posterior probability that an effect is below c, for every c.

    Solid for the mean effect, dashed for the true effect of a new study. The legend gives both
    probabilities at the value of no effect.

    Parameters
    ----------
    post : Posterior
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x natural scale, from the 0.2th to the 99.8th percentile of a new study's effect.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.probability_curve(bm.fit(model, bm.load("bcg")))
    >>> ax.get_legend().get_texts()[1].get_text()
    'new study: P(OR < 1) = 0.887'
    """
    measure = post.bound.measure
    null = null_value(measure)
    low, high = post.theta_new.quantile([0.002, 0.998]).tolist()
    if null is not None:
        low, high = min(low, null - 0.1 * (high - low)), max(high, null + 0.1 * (high - low))
    c = np.linspace(low, high, _POINTS)
    ax = make_axes() if ax is None else ax
    set_effect_axis(ax, measure, low, high)
    curves = (("mean effect", post.mu, "-", BLUE), ("new study", post.theta_new, "--", INK))
    for name, marginal, dashes, colour in curves:
        told = name
        if null is not None:
            natural = float(measure.scale.to_natural(np.array(null)))
            told = f"{name}: P({measure.name} < {natural:g}) {_show(float(marginal.cdf(null)))}"
        ax.plot(measure.scale.to_natural(c), marginal.cdf(c), dashes, color=colour, label=told)
    if null is not None:
        ax.axvline(natural, color=GREY, linewidth=0.8, zorder=0)
    ax.set_xlabel(f"c, {ax.get_xlabel()}", color=INK)
    ax.set_ylabel("posterior probability of an effect below c", color=INK)
    ax.set_ylim(0, 1)
    ax.grid(axis="y", color=GREY, alpha=0.3, linewidth=0.6)
    tidy(ax)
    add_legend(ax, columns=1)
    return ax


def _show(probability: float) -> str:
    """Write a probability so that it is never rounded to certainty.

    Examples
    --------
    >>> _show(0.87512), _show(0.99997), _show(0.0002)
    ('= 0.875', '> 0.999', '< 0.001')
    """
    if probability > 0.9995:
        return "> 0.999"
    return "< 0.001" if probability < 0.0005 else f"= {probability:.3f}"
