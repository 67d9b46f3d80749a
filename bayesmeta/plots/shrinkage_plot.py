"""Shrinkage: each study's effect as observed, and as the posterior has it."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.effect_axis import set_effect_axis
from bayesmeta.plots.style import (
    BLUE,
    GREY,
    INK,
    add_legend,
    make_row_axes,
    require_probability,
    set_rows,
    tidy,
    widen,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def shrinkage(post: Posterior, *, level: float = 0.95, ax: "Axes | None" = None) -> "Axes":
    """Draw how the true effects of the studies are pulled towards the mean.

    A grey square and line: the effect as observed, with its normal interval. A blue circle and line
    below: the posterior median of the study's true effect, with its interval. The band is the
    interval of the mean effect, the dashed line its median.

    Parameters
    ----------
    post : Posterior
    level : float
        Probability of the intervals.
    ax : Axes, optional
        Where to draw. Not given, a figure that grows with the studies is made, the `figure` of the
        result.

    Returns
    -------
    Axes
        x natural scale; studies from the top, in the order of the table.

    Raises
    ------
    ModelError
        A level that is none.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.shrinkage(bm.fit(model, bm.load("bcg")))
    >>> len(ax.get_yticklabels())
    13
    """
    require_probability(level)
    bound = post.bound
    y, reach = bound.data.y, ndtri((1 + level) / 2) * bound.data.se
    table = post.study_table(level=level, kind="eti")
    median, low, high = table[["median", "low", "high"]].to_numpy(dtype=np.float64, copy=True).T
    to_natural = bound.measure.scale.to_natural
    ax = make_row_axes(bound.studies, width=4.2, extra=0.95) if ax is None else ax
    wanted = np.concatenate([y, low, high])
    left, right = widen(float(np.min(wanted)), float(np.max(wanted)))
    set_effect_axis(ax, bound.measure, left, right)
    rows = np.arange(len(y))
    ends = to_natural(np.clip([y - reach, y + reach], left, right))
    ax.hlines(rows - 0.15, ends[0], ends[1], colors=GREY, linewidth=1.0)
    ax.plot(to_natural(y), rows - 0.15, "s", color=GREY, markersize=3.8, label="observed")
    for outside, end, marker in (
        (y - reach < left, ends[0], "<"),
        (y + reach > right, ends[1], ">"),
    ):
        ax.plot(
            end[outside], rows[outside] - 0.15, marker, color=GREY, markersize=3.5, clip_on=False
        )
    ax.hlines(rows + 0.2, to_natural(low), to_natural(high), colors=BLUE, linewidth=1.3)
    ax.plot(to_natural(median), rows + 0.2, "o", color=BLUE, markerfacecolor="white",
            markersize=3.8, label="posterior")  # fmt: skip
    of_mu = to_natural(np.asarray(post.mu.quantile([(1 - level) / 2, 0.5, (1 + level) / 2])))
    ax.axvspan(of_mu[0], of_mu[2], color=BLUE, alpha=0.12, linewidth=0, zorder=0)
    ax.axvline(of_mu[1], color=INK, linestyle="--", linewidth=0.9, zorder=0, label="mean effect")
    tidy(ax)
    set_rows(ax, bound.studies)
    add_legend(ax, columns=3)
    return ax
