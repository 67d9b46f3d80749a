"""The mean of an effect on its natural scale, where it can be shown to exist.

E exp(X) of an effect X on a log scale, X = mu or theta_new. Whether it is finite is decided by how
fast the priors fall: let the prior of tau fall as ``tau^m exp(-rate tau^power)``, and let n studies
have likelihoods that vanish at both ends, so that the likelihood falls as tau^-n (`propriety`).

- theta_new is normal about mu with variance tau^2, so that E exp(theta_new) given (mu, tau) is
  exp(mu + tau^2/2). Where power < 2, or power = 2 and rate < 1/2, the integral over tau has no end,
  whatever the effect prior is. Where E exp(mu) under the effect prior is finite, it is finite if
  power > 2, or power = 2 and rate > 1/2, or rate = 1/2 and n - m > 1: the likelihood is bounded by
  c tau^-n for all mu.
- With a flat effect prior, or one whose tail falls slower than exponentially, mu given tau is
  normal with variance tau^2/n as tau grows (normal likelihood), which adds 1/(2n) to the 1/2 above.
- E exp(mu) is finite where it is so under the effect prior, the likelihood being bounded; with a
  slower effect prior, and the normal likelihood, if power > 2, or power = 2 and rate > 1/(2n).

Under unrelated effects mu is normal, and E exp(mu) has a closed form. Everything else is refused,
and so are the posteriors of published rows, whose evidence under other priors is not to be had.
Where the mean exists it is the ratio of two evidences, that of the
model whose priors are multiplied by exp(mu) and exp(tau^2/2) over that of the model itself.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Never

import numpy as np

from bayesmeta.errors import ModelError, MomentError
from bayesmeta.inference.fit import EXACT, TOL, supported_engines
from bayesmeta.inference.mapped import expectation_rule
from bayesmeta.inference.marginals import Empirical
from bayesmeta.inference.posterior import Accuracy, Posterior
from bayesmeta.likelihoods import NormalLikelihood
from bayesmeta.model import BoundModel
from bayesmeta.priors import (
    Exponential,
    Fixed,
    Flat,
    HalfNormal,
    LogNormal,
    Normal,
    OnTau2,
    Prior,
    Truncated,
)
from bayesmeta.random_effects import NormalRandomEffects, UnrelatedEffects
from bayesmeta.scales import FloatArray

type Effect = Literal["mu", "theta_new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NaturalMean:
    """Average of an effect on its natural scale.

    Attributes
    ----------
    mean : float
        E of the effect on the natural scale, such as the average odds ratio.
    error : float
        Of `mean`: a bound of the numerical error, or the Monte Carlo standard error of a sample.
    transformed_mean : float
        The mean of the analysis scale taken to the natural one, such as exp(E log OR): not an
        average of the effect. nan where the mean of the analysis scale does not exist.
    median : float
        Median on the natural scale, which always exists.
    """

    mean: float
    error: float
    transformed_mean: float
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperTail:
    """A density that falls as ``x**order * exp(-rate * x**power)``; power inf: it ends."""

    power: float
    rate: float = math.inf
    order: float = 0.0

    @property
    def has_mean_exponential(self) -> bool:
        """Whether E exp(X) is finite."""
        return self.power > 1 or (self.power == 1 and self.rate > 1)


def upper_tail(prior: Prior) -> UpperTail | None:
    """How the upper tail of a prior falls; None where that is not known."""
    if math.isfinite(prior.support[1]):
        return UpperTail(power=math.inf)
    if math.isfinite(prior.tail_order) or isinstance(prior, LogNormal):
        return UpperTail(power=0.0, rate=0.0)
    match prior:
        case Normal(sd=scale) | HalfNormal(scale=scale):
            return UpperTail(power=2.0, rate=0.5 / scale**2)
        case Exponential(scale=scale):
            return UpperTail(power=1.0, rate=1 / scale)
        case Truncated(prior=whole):
            return upper_tail(whole)
        case OnTau2(prior=of_square):
            tail = upper_tail(of_square)
            return tail and UpperTail(
                power=2 * tail.power, rate=tail.rate, order=2 * tail.order + 1
            )
    return None


def require_mean_exponential(bound: BoundModel, of: Effect) -> None:
    """Raise MomentError unless E exp(mu), or E exp(theta_new), is shown to exist."""
    model = bound.model
    tau, effect = upper_tail(model.heterogeneity), upper_tail(model.effect)
    n = int(model.likelihood.vanishes(bound.data).all(axis=1).sum())
    name = bound.measure.name
    normal_form = isinstance(model.random_effects, NormalRandomEffects)
    if of == "theta_new" and not normal_form:
        raise MomentError(_refusal(name, of, f"with {model.random_effects} random effects"))
    if tau is None or effect is None:
        raise MomentError(_refusal(name, of, "for a prior whose tail is not known here"))
    light = effect.has_mean_exponential
    if of == "mu" and light:
        return
    needed = (0.5 if of == "theta_new" else 0.0) + (0.0 if light else 0.5 / max(n, 1))
    least = 0.5 if of == "theta_new" else needed
    normal = normal_form and isinstance(model.likelihood, NormalLikelihood)
    gaussian = normal and effect.power == 0
    if tau.power < 2 or (tau.power == 2 and tau.rate < (needed if gaussian else least)):
        if of == "theta_new" or gaussian:
            raise MomentError(
                f"The mean {name} of {'a new study' if of == 'theta_new' else 'mu'} does not exist "
                f"under the priors {model.effect} and {model.heterogeneity}: large tau have too "
                "much probability, and the integral grows without end. Report the median and "
                "quantiles, or use a heterogeneity prior that is bounded or falls faster, such as "
                "half_normal(0.5)"
            )
        raise MomentError(_refusal(name, of, f"with the effect prior {model.effect}"))
    if light:
        border = tau.power == 2 and tau.rate == needed
        if border and not n - tau.order > 1:
            raise MomentError(_refusal(name, of, f"for {n} studies with {model.heterogeneity}"))
    elif not gaussian or (tau.power == 2 and tau.rate == needed):
        raise MomentError(_refusal(name, of, f"with the effect prior {model.effect}"))


def _refusal(name: str, of: Effect, why: str) -> str:
    what = "a new study" if of == "theta_new" else "mu"
    return (
        f"The mean {name} of {what} has not been shown to exist {why}. Report the median and "
        "quantiles, which always exist"
    )


def natural_mean(posterior: Posterior, parameter: Effect = "mu") -> NaturalMean:
    """Average of an effect on its natural scale, which is not the transformed mean.

    Parameters
    ----------
    posterior : Posterior
    parameter : {"mu", "theta_new"}
        The mean effect, or the effect of a new study.

    Raises
    ------
    MomentError
        The mean does not exist under these priors, or has not been shown to; the module's text
        has the rule. Or it is a mean ratio of a published row, which is not given.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
    ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
    >>> found = natural_mean(bm.fit(model, bm.load("bcg")), "theta_new")
    >>> round(found.mean, 4), round(found.transformed_mean, 4), round(found.median, 4)
    (0.5879, 0.4776, 0.4791)
    """
    of = parameter
    if of not in ("mu", "theta_new"):
        raise ModelError(f'Averages are given of "mu" and "theta_new", not of {of!r}')
    marginal, scale = posterior.marginals[of], posterior.bound.measure.scale
    unrelated = isinstance(posterior.bound.model.random_effects, UnrelatedEffects)
    if posterior.engine == "published" and scale.name == "log":
        raise MomentError(
            f"The mean {posterior.bound.measure.name} is not given for a published row, whose "
            "evidence under other priors is not to be had. Report the median and quantiles"
        )
    if scale.name == "log" and not (unrelated and of == "mu"):
        require_mean_exponential(posterior.bound, of)
    elif scale.name == "identity" and not np.isfinite(marginal.mean):
        raise MomentError(f"The mean of {of} does not exist: its posterior falls too slowly")
    ends = scale.to_natural(np.array([float(marginal.mean), float(marginal.quantile(0.5))]))
    if isinstance(marginal, Empirical):
        draws = getattr(posterior.joint.draw(0, np.random.default_rng(0)), of)
        mean, error = _sample_mean(scale.to_natural(draws))
    elif scale.name == "log" and unrelated:  # mu has no prior of its own, and is normal
        mean = math.exp(float(marginal.mean) + 0.5 * float(marginal.sd) ** 2)
        error = mean * _own_error(posterior)
    elif scale.name == "log":
        mean, error = _evidence_ratio(posterior, of)
    elif scale.name == "identity":
        mean, error = float(marginal.mean), _own_error(posterior) * float(marginal.sd)
    else:
        x, w = expectation_rule(marginal)
        mean, error = float(w @ scale.to_natural(x)), 1e-8
    return NaturalMean(
        mean=mean, error=error, transformed_mean=float(ends[0]), median=float(ends[1])
    )


def _sample_mean(values: FloatArray) -> tuple[float, float]:
    """Mean of draws (chain, draw), and its Monte Carlo standard error."""
    from arviz_stats.base import array_stats

    error = array_stats.mcse(values, method="mean", chain_axis=0, draw_axis=1)
    return float(values.mean()), float(error)


def _evidence_ratio(posterior: Posterior, of: Effect) -> tuple[float, float]:
    """E exp(mu), or E exp(mu + tau^2/2), as a ratio of evidences."""
    bound, model = posterior.bound, posterior.bound.model
    effect, shift = tilt(model.effect, linear=1.0, square=0.0)
    heterogeneity, spread = model.heterogeneity, 0.0
    if of == "theta_new":
        heterogeneity, spread = tilt(model.heterogeneity, linear=0.0, square=0.5)
    tilted = replace(bound, model=replace(model, effect=effect, heterogeneity=heterogeneity))
    above = EXACT[supported_engines(tilted.model)[0]](tilted, tol=TOL)
    assert above.log_marginal_likelihood is not None
    assert posterior.log_marginal_likelihood is not None
    log = above.log_marginal_likelihood + shift + spread - posterior.log_marginal_likelihood
    mean = math.exp(log)
    return mean, mean * (_own_error(above) + _own_error(posterior))


def _own_error(posterior: Posterior) -> float:
    assert isinstance(posterior.accuracy, Accuracy)  # samples are taken care of before
    return posterior.accuracy.error


def tilt(prior: Prior, *, linear: float, square: float) -> tuple[Prior, float]:
    """Write ``p(x) exp(linear x + square x^2)`` as a prior times the exponential of a number."""
    match prior:
        case Fixed(value=x):
            return prior, linear * x + square * x**2
        case Normal(mean=mean, sd=sd) if square == 0:
            return Normal(mean + linear * sd**2, sd), linear * mean + 0.5 * (linear * sd) ** 2
        case HalfNormal(scale=scale) if linear == 0 and 2 * square * scale**2 < 1:
            wider = scale / math.sqrt(1 - 2 * square * scale**2)
            return HalfNormal(wider), math.log(wider / scale)
        case HalfNormal(scale=scale) if linear == 0 and 2 * square * scale**2 == 1:
            return Flat(), 0.5 * math.log(2 / math.pi) - math.log(scale)
    return Tilted(prior=prior, linear=linear, square=square), 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilted:
    """A prior multiplied by ``exp(linear x + square x^2)``, not normalised."""

    prior: Prior
    linear: float
    square: float

    @property
    def support(self) -> tuple[float, float]:
        """That of the prior."""
        return self.prior.support

    @property
    def proper(self) -> bool:
        """As the prior."""
        return self.prior.proper

    @property
    def tail_order(self) -> float:
        """That of the prior: the rule for the mean has made sure that the tilt is weaker."""
        return self.prior.tail_order

    def cdf(self, x: FloatArray) -> FloatArray:
        """Give that of the prior."""
        return self.prior.cdf(x)

    def sf(self, x: FloatArray) -> FloatArray:
        """Give that of the prior."""
        return self.prior.sf(x)

    def quantile(self, p: FloatArray) -> FloatArray:
        """Give that of the prior, to look first."""
        return self.prior.quantile(p)

    def pymc_form(self, *_: object) -> Never:
        """Raise: it is no distribution."""
        raise ModelError("A tilted prior is for quadrature only")

    pymc = pymc_form

    def logpdf(self, x: FloatArray) -> FloatArray:
        """Log density, up to its constant."""
        x = np.asarray(x, dtype=float)
        with np.errstate(over="ignore", invalid="ignore"):
            more = self.linear * x + self.square * x**2
        inside = self.prior.logpdf(x)
        return np.where(np.isfinite(inside), inside + more, inside)
