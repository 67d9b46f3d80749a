"""Posterior against prior: what the data have added."""

from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesmeta.errors import ModelError
from bayesmeta.inference.marginals import Marginal, NormalMixture
from bayesmeta.inference.posterior import Posterior
from bayesmeta.model import Model, has_known_tau
from bayesmeta.plots.effect_axis import set_effect_axis
from bayesmeta.plots.style import BLUE, INK, add_legend, make_axes, require_probability, tidy, widen
from bayesmeta.priors import Fixed, Normal, Prior
from bayesmeta.random_effects import NormalRandomEffects
from bayesmeta.scales import FloatArray
from bayesmeta.studies.refusal import did_you_mean

if TYPE_CHECKING:
    from types import EllipsisType

    from matplotlib.axes import Axes

type Parameter = Literal["mu", "tau", "theta_new", "theta"]

_WORDS = {
    "mu": "mean effect",
    "tau": "heterogeneity SD tau",
    "theta_new": "effect of a new study",
    "theta": "true effect of the study",
}
_POINTS = 401
_NODES = 400


def prior_posterior(
    post: Posterior,
    parameter: Parameter = "mu",
    *,
    study: str | None = None,
    level: float = 0.95,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the posterior density of a parameter over its prior density.

    Densities are per unit of the analysis scale (of the logarithm, for ratios), so that areas on
    the axis are probabilities. The filled part is the equal-tailed interval. An improper prior has
    no density and is named only.

    Parameters
    ----------
    post : Posterior
    parameter : {"mu", "tau", "theta_new", "theta"}
        The prior of `theta_new` and `theta` is that of mu and tau together.
    study : str, optional
        The study whose true effect `theta` is.
    level : float
        Probability of the filled interval.
    ax : Axes, optional
        Where to draw. Not given, a figure is made, the `figure` of the result.

    Returns
    -------
    Axes
        x natural scale, but tau on the analysis scale; y density per unit of the analysis scale.

    Raises
    ------
    ModelError
        An unknown parameter or study; a known parameter, which has no density; no level.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> ax = bm.plots.prior_posterior(bm.fit(model, bm.load("bcg")), "tau")
    >>> [line.get_label() for line in ax.lines]
    ['prior half_normal(0.5)', 'posterior']
    """
    require_probability(level)
    row, name = _row_of(post, parameter, study), _WORDS[parameter]
    marginal: Marginal = getattr(post, parameter)

    def density(x: FloatArray) -> FloatArray:
        return marginal.pdf(x)[row]

    measure = post.bound.measure
    x = np.linspace(*_ends(marginal.quantile([0.0005, 0.9995])[row], parameter), _POINTS)
    start, end = marginal.interval(level)[row].tolist()
    inside = np.linspace(start, end, _POINTS)
    ax = make_axes() if ax is None else ax
    to_axis = _same if parameter == "tau" else measure.scale.to_natural
    if parameter == "tau":
        ax.set_xlim(0, x[-1])
        ax.set_xlabel(f"{name} ({measure.analysis_label})", color=INK)
    else:
        set_effect_axis(ax, measure, x[0], x[-1])
        ax.set_xlabel(f"{name}: {ax.get_xlabel()}", color=INK)
    prior, told = _prior_of(post.bound.model, parameter, x)
    ax.plot(to_axis(x), prior, "--", color=INK, linewidth=1.3, label=f"prior {told}")
    ax.plot(
        to_axis(x),
        density(x),
        "-",
        color=BLUE,
        linewidth=1.7,
        label="posterior" if study is None else f"posterior of {study}",
    )
    ax.fill_between(to_axis(inside), density(inside), color=BLUE, alpha=0.25, linewidth=0,
                    label=f"{100 * level:g}% interval")  # fmt: skip
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"density, per unit of {measure.analysis_label}", color=INK)
    tidy(ax)
    add_legend(ax, columns=2)
    return ax


def _same(x: FloatArray) -> FloatArray:
    return x


def _row_of(post: Posterior, parameter: Parameter, study: str | None) -> "int | EllipsisType":
    """Give the index of the parameter in its marginal."""
    if parameter not in _WORDS:
        raise ModelError(f"Unknown parameter {parameter!r}. {did_you_mean(parameter, _WORDS)}")
    if (parameter == "theta") != (study is not None):
        raise ModelError(
            "parameter = 'theta' is the effect of one study: name it with study=..., and leave it "
            "out for the others"
        )
    model = post.bound.model
    known = {"mu": isinstance(model.effect, Fixed), "tau": has_known_tau(model)}
    if known.get(parameter):
        raise ModelError(f"{parameter} is known under {model}: it has no density to draw")
    if study is None:
        return ...
    if study not in post.bound.studies:
        raise ModelError(f"No study {study!r}. {did_you_mean(study, post.bound.studies)}")
    return post.bound.studies.index(study)


def _ends(ends: FloatArray, parameter: Parameter) -> tuple[float, float]:
    """Show nearly all of the posterior, and as much again of the prior."""
    low, high = ends.tolist()
    if parameter == "tau":
        return high / _POINTS, 1.3 * high
    return widen(low, high, 0.25)


def _prior_of(model: Model, parameter: Parameter, x: FloatArray) -> tuple[FloatArray, str]:
    """Give the prior density at x, nan where there is none to draw, and the prior in words."""
    effect, tau = model.effect, model.heterogeneity
    if parameter in ("mu", "tau"):
        prior = effect if parameter == "mu" else tau
        if not prior.proper:
            return np.full_like(x, np.nan), f"{prior}, improper: not drawn"
        return np.exp(prior.logpdf(x)), str(prior)
    told = f"{effect} and {tau}"
    if not (effect.proper and tau.proper):
        return np.full_like(x, np.nan), f"{told}, improper: not drawn"
    if not isinstance(model.random_effects, NormalRandomEffects):
        return np.full_like(x, np.nan), f"{told}, with {model.random_effects}: not drawn"
    centre, width = _effect_nodes(effect)
    spread = tau.quantile((np.arange(_NODES) + 0.5) / _NODES)
    means, spreads = (part.ravel() for part in np.meshgrid(centre, spread, indexing="ij"))
    mixture = NormalMixture(
        means=means,
        sds=np.sqrt(spreads**2 + width**2),
        weights=np.full(len(means), 1 / len(means)),
    )
    return mixture.pdf(x), told


def _effect_nodes(effect: Prior) -> tuple[FloatArray, float]:
    """Give points of equal probability of an effect prior, and the SD of each; a normal is one."""
    if isinstance(effect, Normal):
        return np.array([effect.mean]), effect.sd
    return effect.quantile((np.arange(_NODES) + 0.5) / _NODES), 0.0
