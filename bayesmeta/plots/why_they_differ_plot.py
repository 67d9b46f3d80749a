"""Why methods differ: the effect given tau, and what each method and the data make of tau."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri

from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.checks.verdicts import CheckedModel
from bayesmeta.digits import choose_decimals, show
from bayesmeta.errors import ModelError
from bayesmeta.frequentist import PooledEstimate, pool
from bayesmeta.inference.gaussian_nodes import condition_on_tau, rotate
from bayesmeta.inference.posterior import Posterior
from bayesmeta.likelihoods import NormalData
from bayesmeta.plots.columns import make_room
from bayesmeta.plots.effect_axis import name_axis, set_axis
from bayesmeta.plots.figures import make_figure
from bayesmeta.plots.intervals import choose_limits
from bayesmeta.plots.style import BLUE, GREY, INK, ORANGE
from bayesmeta.plots.texts import show_ratio, text_width
from bayesmeta.priors import Flat, Prior
from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = {"EE": "X", "DL": "s", "PM": "^", "REML": "D", "ML": "v", "SJ": "P"}
_POINTS = 300
_SIZE = 9.0


def why_they_differ(
    result: CrossCheck, *, axes: "tuple[Axes, Axes] | None" = None
) -> "tuple[Axes, Axes]":
    """Draw how the pooled effect depends on tau, and which tau each method takes.

    Above, the mean effect given tau, E(mu | tau), with its interval; the marks are the pooled
    effects of methods that put in one tau, at that tau. They lie on the broken line, the weighted
    mean of the studies at tau: what is between it and the curve is the effect prior. Below, the
    posterior of tau, by which the curve above is averaged to the posterior of the effect (at the
    right, with its interval), and the same marks on the same axis.

    Parameters
    ----------
    result : CrossCheck
        With an exact posterior of a normal likelihood and normal random effects.
    axes : (Axes, Axes), optional
        Upper and lower, which should share their x axis; they make room for their legends. Not
        given, a figure is made.

    Returns
    -------
    (Axes, Axes)
        tau on the analysis scale; the effect on the natural one, logarithmic for ratios.

    Raises
    ------
    ModelError
        There is no such posterior.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> result = bm.crosscheck(model, bm.load("bcg"), nuts=False)
    >>> ax = bm.plots.why_they_differ(result)[0]
    >>> ax.get_ylabel()
    'odds ratio (OR), logarithmic axis'
    """
    posterior = normal_posterior(result)
    rows = plug_ins(result)
    points = np.asarray(posterior.tau.quantile([0.5, 0.995]))
    most = max([float(points[1]), *(1.08 * float(np.sqrt(row.tau2)) for row in rows)])
    tau = np.linspace(0.0, most, _POINTS)
    upper, lower = _make_axes() if axes is None else axes
    _draw_effect(upper, result, posterior, rows, tau)
    _draw_tau(lower, result, posterior, rows, tau)
    if axes is not None:
        _make_room(upper, lower)
    return upper, lower


def normal_posterior(result: CrossCheck) -> Posterior:
    """Give the posterior whose tau the methods are held against; refused where there is none."""

    def fits(one: CheckedModel) -> bool:
        return one.exact is not None and one.exact.engine == "gaussian"

    found = next((one.exact for one in result.models if fits(one)), None)
    if found is None or result.studies is None or not np.isfinite(found.tau.quantile(0.5)):
        raise ModelError(
            "There is no exact posterior with a normal likelihood and normal random effects of "
            "study data, which the methods that put in one tau could be held against."
        )
    return found


def plug_ins(result: CrossCheck) -> tuple[PooledEstimate, ...]:
    """Give the methods that pool by inverse variances at one tau, as far as they are defined."""
    assert result.studies is not None
    assert result.effects is not None
    rows = pool(
        result.studies, result.measure.name, methods=list(_MARKERS), level=result.level,
        correction=result.effects.correction, keep=True,
    )  # fmt: skip
    return tuple(row for row in rows if np.isfinite([row.estimate, row.tau2]).all())


def effect_given_tau(
    posterior: Posterior, tau: FloatArray, level: float, *, prior: Prior | None = None
) -> FloatArray:
    """Mean and interval of mu given tau, (node, 3), analysis scale.

    Parameters
    ----------
    posterior : Posterior
        Of the Gaussian engine.
    tau : (node,)
    level : float
    prior : Prior, optional
        Of the effect, in place of the model's own.
    """
    bound, data = posterior.bound, posterior.bound.data
    assert isinstance(data, NormalData)
    rotated, _ = rotate(data.y, data.S, bound.design.X, prior or bound.model.effect)
    given = condition_on_tau(rotated, tau)
    mean = np.full_like(tau, rotated.offset[0])
    sd = np.zeros_like(tau)
    if given.beta.shape[-1]:  # else the effect is known
        mean, sd = mean + given.beta[:, 0], np.sqrt(given.cov[:, 0, 0])
    half = float(ndtri((1 + level) / 2)) * sd
    return np.stack([mean, mean - half, mean + half], axis=1)


# --- drawing -------------------------------------------------------------------------------------


def _make_axes() -> "tuple[Axes, Axes]":
    figure = make_figure(8.2, 5.8)
    upper = figure.add_axes((0.09, 0.45, 0.56, 0.52))
    lower = figure.add_axes((0.09, 0.09, 0.56, 0.32), sharex=upper)
    upper.tick_params(labelbottom=False)
    return upper, lower


def _make_room(*axes: "Axes") -> None:
    """Let the legends fit in where axes that are given were."""
    labels = [label for ax in axes for label in ax.get_legend_handles_labels()[1]]
    for ax in axes:
        make_room(ax, right=text_width(labels, _SIZE - 0.5) + 5 * _SIZE)


def _draw_effect(
    ax: "Axes",
    result: CrossCheck,
    posterior: Posterior,
    rows: tuple[PooledEstimate, ...],
    tau: FloatArray,
) -> None:
    scale, tail = result.measure.scale, (1 - result.level) / 2
    curve = scale.to_natural(effect_given_tau(posterior, tau, result.level))
    whole = scale.to_natural(np.asarray(posterior.mu.quantile([0.5, tail, 1 - tail])))
    ax.fill_between(tau, curve[:, 1], curve[:, 2], color=BLUE, alpha=0.18, linewidth=0, gid="band",
                    label=f"{100 * result.level:g}% interval given tau")  # fmt: skip
    ax.plot(tau, curve[:, 0], color=BLUE, linewidth=1.6, gid="curve", label="E(mu | tau)")
    flat = scale.to_natural(effect_given_tau(posterior, tau, result.level, prior=Flat())[:, 0])
    ax.plot(tau, flat, color=INK, linewidth=1.0, linestyle="--", gid="flat",
            label="weighted mean at tau\n(flat effect prior)")  # fmt: skip
    at = float(tau[-1]) * 1.03
    ax.plot([at, at], whole[1:], color=INK, linewidth=2.4, gid="posterior")
    ax.plot(at, whole[0], "o", markerfacecolor="white", markeredgecolor=INK, markersize=6,
            linestyle="none", zorder=5,
            label=f"posterior, averaged over tau:\n{result.measure.name} "
            f"{_show(result, whole[0])} [{_show(result, whole[1])}, "
            f"{_show(result, whole[2])}]")  # fmt: skip
    for row in rows:
        effect = float(scale.to_natural(np.array([row.estimate]))[0])
        size = np.sqrt(row.tau2)
        told = f"{row.method}: tau {_show_tau(size)}, {result.measure.name} {_show(result, effect)}"
        ax.plot(size, effect, _MARKERS[row.method], color=ORANGE, markeredgecolor=INK,
                markersize=7, linestyle="none", zorder=4, gid=row.method, label=told,
                clip_on=False)  # fmt: skip
    null = scale.to_natural(np.array([0.0]))
    limits = choose_limits(scale, np.concatenate([whole, curve[:, 0]]), curve, null)
    set_axis(ax, "y", scale, limits, _SIZE)
    if limits[0] < null[0] < limits[1]:
        ax.axhline(float(null[0]), color=GREY, linewidth=0.8, zorder=0)
    ax.set_xlim(0.0, float(tau[-1]) * 1.06)
    ax.set_ylabel(name_axis(result.measure), size=_SIZE)
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=_SIZE - 0.5, frameon=False,
              borderaxespad=0, labelspacing=0.7)  # fmt: skip
    ax.spines[["top", "right"]].set_visible(False)


def _draw_tau(
    ax: "Axes",
    result: CrossCheck,
    posterior: Posterior,
    rows: tuple[PooledEstimate, ...],
    tau: FloatArray,
) -> None:
    inside = np.maximum(tau, 1e-6 * tau[-1])
    tail = (1 - result.level) / 2
    ends = posterior.tau.quantile([0.5, tail, 1 - tail])
    if ends[1] < ends[2]:
        density = posterior.tau.pdf(inside)
    else:  # tau is known
        density = np.zeros_like(tau)
        ax.vlines(ends[0], 0.0, 1.0, colors=BLUE, linewidth=2.0)
    height = float(density.max()) or 1.0
    ax.fill_between(tau, 0.0, density, color=BLUE, alpha=0.3, linewidth=0, gid="density")
    ax.plot(tau, density, color=BLUE, linewidth=1.2)
    ax.plot(ends[1:], [-0.06 * height] * 2, color=INK, linewidth=2.4, gid="interval")
    ax.plot(ends[0], -0.06 * height, "o", markerfacecolor="white", markeredgecolor=INK,
            markersize=6, zorder=5, gid="median",
            label=f"posterior of tau:\n{_show_tau(ends[0])} [{_show_tau(ends[1])}, "
            f"{_show_tau(ends[2])}]")  # fmt: skip
    for i, row in enumerate(rows):
        size, at = float(np.sqrt(row.tau2)), -(0.22 + 0.15 * i) * height  # a row for each mark
        ax.vlines(size, at, 1.1 * height, colors=GREY, linewidth=0.7, linestyle=":", zorder=0)
        ax.plot(size, at, _MARKERS[row.method], color=ORANGE, markeredgecolor=INK,
                markersize=7, zorder=4, gid=row.method, clip_on=False)  # fmt: skip
    ax.set_ylim(-(0.2 + 0.15 * len(rows)) * height, 1.1 * height)
    ax.set_yticks([])
    ax.set_ylabel("density", size=_SIZE, labelpad=14)
    ax.set_xlabel(f"tau, SD of the true effects ({result.measure.analysis_label})", size=_SIZE)
    ax.tick_params(axis="x", labelsize=_SIZE)
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), fontsize=_SIZE - 0.5, frameon=False,
              borderaxespad=0)  # fmt: skip
    ax.spines[["top", "right", "left"]].set_visible(False)


def _show(result: CrossCheck, value: float) -> str:
    if result.measure.scale.name == "log":
        return show_ratio(float(value))
    return show(float(value), choose_decimals(row.estimate for row in result.rows))


def _show_tau(value: float) -> str:
    return "0" if value == 0 else show(float(value), min(3, choose_decimals([float(value)])))
