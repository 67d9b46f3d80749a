"""Normal Q-Q plot of standardised effects."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtri

from bayesmeta.effects import Effects
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.independent import pool_batch
from bayesmeta.plots.point_labels import label_points
from bayesmeta.plots.style import BLUE, GREY, INK, add_legend, make_axes, tidy, widen
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def normal_qq(effects: Effects, *, method: str = "REML", ax: "Axes | None" = None) -> "Axes":
    """Draw the standardised residuals of the studies over normal quantiles.

    On the diagonal, effects vary as normal true effects with normal errors would. The band holds
    each point with probability 0.95 if the residuals were independent standard normal numbers
    (order statistics: beta quantiles). Studies outside of it are named where there is room.

    Parameters
    ----------
    effects : Effects
        From `compute_effects`, with uncorrelated errors.
    method : str
        "EE" for the common effect, or an estimator of tau2, a key of `TAU2`.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        Standardised residuals have no unit.

    Raises
    ------
    ModelError
        Unknown method, or correlated errors.
    NotEstimableError
        A single study, which has no residual.

    References
    ----------
    Wang and Bushman (1998), Psychological Methods 3:46-54.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> ax = bm.plots.normal_qq(bm.compute_effects(bm.load("bcg"), "OR"))
    >>> ax.get_xlabel()
    'normal quantile'
    """
    z = standardised_residuals(effects, method=method)
    ax = make_axes(4.3, 4.2) if ax is None else ax
    ax.set_xlabel("normal quantile", color=INK)
    name = "common effect" if method == "EE" else method
    ax.set_ylabel(f"standardised residual ({name})", color=INK)
    tidy(ax)
    order = np.argsort(z, kind="stable")
    k = len(z)
    x = normal_quantiles(k)
    rank = np.arange(1, k + 1)
    low, high = (ndtri(betaincinv(rank, k + 1 - rank, p)) for p in (0.025, 0.975))
    ax.set_xlim(*widen(float(x[0]), float(x[-1]), 0.15))
    ax.set_ylim(*widen(float(min(z.min(), low[0])), float(max(z.max(), high[-1]))))
    ax.fill_between(x, low, high, color=GREY, alpha=0.2, linewidth=0, label="95% band")
    ax.axline((0, 0), slope=1, color=INK, linewidth=1.0, label="normal")
    ax.plot(x, z[order], "o", color=BLUE, markeredgecolor="white", markeredgewidth=0.5,
            markersize=5.0 if k < 60 else 3.5, label="study")  # fmt: skip
    add_legend(ax, columns=3)
    outside = np.maximum(low - z[order], z[order] - high)
    named = [int(i) for i in np.argsort(-outside) if outside[i] > 0]
    label_points(ax, x, z[order], [effects.study[i] for i in order], named)
    return ax


def standardised_residuals(effects: Effects, *, method: str) -> FloatArray:
    """Give residuals from the pooled effect over their standard errors.

    With M = diag(v + tau2) and the weighted mean fitted, a residual has the variance
    (v_i + tau2) (1 - h_i), h_i the share of the weight.

    Examples
    --------
    >>> from bayesmeta.effects import compute_effects
    >>> from bayesmeta.studies import load
    >>> found = standardised_residuals(compute_effects(load("bcg"), "RR"), method="REML")
    >>> found[:2].round(4).tolist()
    [-0.2244, -1.2629]
    """
    if len(effects.y) < 2:
        raise NotEstimableError("A normal plot needs two studies.")
    S = effects.S
    v = S if S.ndim == 1 else np.diagonal(S)
    if S.ndim == 2 and np.count_nonzero(S - np.diag(v)):
        raise ModelError(
            "The effects have correlated errors, as where rows share an arm, and their residuals "
            "are not independent: give one row per study"
        )
    pooled = pool_batch(effects.y, v, method=method, level=0.95)
    variance = v + pooled.tau2
    share = (1 / variance) / (1 / variance).sum()
    out: FloatArray = (effects.y - pooled.estimate) / np.sqrt(variance * (1 - share))
    return out


def normal_quantiles(k: int) -> FloatArray:
    """Give k normal quantiles to hold sorted numbers against: (i - a) / (k + 1 - 2 a), Blom's a.

    Examples
    --------
    >>> normal_quantiles(3).round(4).tolist()
    [-0.8694, 0.0, 0.8694]
    """
    return np.asarray(ndtri((np.arange(1, k + 1) - 0.375) / (k + 0.25)), dtype=np.float64)
