"""The joint posterior of the mean effect and the heterogeneity, as contours."""

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.inference.joint_density import joint_log_density
from bayesmeta.inference.posterior import Posterior
from bayesmeta.plots.effect_axis import set_effect_axis
from bayesmeta.plots.style import INK, add_legend, make_axes, tidy
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS = (0.5, 0.8, 0.95)
_POINTS = 161
_DASHES = {0.5: "-", 0.8: "--", 0.95: ":"}


def joint(post: Posterior, *, ax: "Axes | None" = None) -> "Axes":
    """Draw the joint posterior of mu and tau: regions that hold 50, 80 and 95%.

    The density is the likelihood times the priors at each point, not an estimate from draws. The
    regions are the smallest ones on the analysis scale. The cross marks the two marginal medians.

    Parameters
    ----------
    post : Posterior
        With mu and tau both unknown.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x the mean effect, natural scale; y tau, analysis scale.

    Raises
    ------
    NotExactError
        There is no joint density, as where tau is known.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.joint(bm.fit(model, bm.load("bcg")))
    >>> ax.get_ylabel()
    'heterogeneity SD tau (log OR)'
    """
    low, high = post.mu.quantile([0.0005, 0.9995]).tolist()
    mu = np.linspace(low, high, _POINTS)
    bottom, top = post.tau.quantile([0.0005, 0.9995]).tolist()
    bottom = bottom if bottom > top / 4 else 0.0
    tau = bottom + (np.arange(_POINTS) + 0.5) * (top - bottom) / _POINTS
    density = _density(post, mu, tau)
    ax = make_axes() if ax is None else ax
    measure = post.bound.measure
    left, right = post.mu.quantile([0.003, 0.997]).tolist()
    set_effect_axis(ax, measure, left, right)
    ax.set_ylim(bottom, float(post.tau.quantile(0.997)))
    x = measure.scale.to_natural(mu)
    heights = region_heights(density, LEVELS)
    ax.contourf(x, tau, density, levels=[*heights[::-1], np.inf],
                colors=["#DCE9F3", "#A9CBE3", "#6BA6CF"])  # fmt: skip
    ax.contour(x, tau, density, levels=heights[::-1], colors=INK, linewidths=0.9,
               linestyles=[_DASHES[level] for level in LEVELS[::-1]])  # fmt: skip
    centre = measure.scale.to_natural(np.array(post.mu.quantile(0.5)))
    ax.plot(float(centre), float(post.tau.quantile(0.5)), "+", color=INK, markersize=8,
            markeredgewidth=1.3, label="medians")  # fmt: skip
    for level in LEVELS:
        ax.plot([], [], color=INK, linestyle=_DASHES[level], linewidth=0.9, label=f"{level:.0%}")
    ax.set_ylabel(f"heterogeneity SD tau ({measure.analysis_label})", color=INK)
    tidy(ax)
    add_legend(ax, columns=4)
    return ax


def region_heights(density: FloatArray, levels: tuple[float, ...]) -> list[float]:
    """Give the heights at which the smallest regions of these probabilities end.

    Parameters
    ----------
    density : array
        On an even grid, up to a constant.
    levels : tuple of float
        Probabilities, rising; the heights fall.

    Examples
    --------
    >>> region_heights(np.array([[1.0, 2.0], [3.0, 4.0]]), (0.4, 0.9))
    [4.0, 2.0]
    """
    falling = np.sort(density, axis=None)[::-1]
    held = np.cumsum(falling) / falling.sum()
    return [float(falling[np.searchsorted(held, level)]) for level in levels]


def _density(post: Posterior, mu: FloatArray, tau: FloatArray) -> FloatArray:
    """Joint density on a grid (tau, mu), relative to its highest value."""
    grid_tau, grid_mu = np.meshgrid(tau, mu, indexing="ij")
    log_density = joint_log_density(post, grid_mu.ravel(), grid_tau.ravel())
    out: FloatArray = np.exp(log_density - log_density.max()).reshape(grid_tau.shape)
    return out
