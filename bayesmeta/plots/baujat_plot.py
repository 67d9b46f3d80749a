"""Baujat's plot: what each study does to heterogeneity and to the pooled effect."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.frequentist.influence.measures import Baujat
from bayesmeta.plots.point_labels import label_points
from bayesmeta.plots.style import BLUE, INK, make_axes, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def baujat(result: Baujat, *, ax: "Axes | None" = None) -> "Axes":
    """Draw Baujat's plot: share of the heterogeneity on x, influence on the pooled effect on y.

    Studies far from the origin are named, where there is room.

    Parameters
    ----------
    result : Baujat
        From `bayesmeta.baujat`.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x squared Pearson residuals; y squared changes of the pooled effect in its standard errors.

    References
    ----------
    Baujat, Mahe, Pignon and Hill (2002), Statistics in Medicine 21:2641-2652.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.baujat(bm.baujat(bm.load("bcg"), "OR"))
    >>> ax.get_xlabel()
    'share of Q (common effect)'
    """
    x, y = result.heterogeneity, result.influence
    ax = make_axes() if ax is None else ax
    ax.plot(x, y, "o", color=BLUE, markeredgecolor="white", markeredgewidth=0.5,
            markersize=5.5 if len(x) < 60 else 4.0)  # fmt: skip
    right, top = (float(values.max()) or 1.0 for values in (x, y))
    ax.set_xlim(-0.03 * right, 1.12 * right)
    ax.set_ylim(-0.04 * top, 1.12 * top)
    name = "common effect" if result.method == "EE" else result.method
    ax.set_xlabel(f"share of Q ({name})", color=INK)
    ax.set_ylabel("influence on the pooled effect", color=INK)
    tidy(ax)
    order = [int(i) for i in np.argsort(-np.hypot(x / right, y / top))]
    label_points(ax, x, y, result.study, order)
    return ax
