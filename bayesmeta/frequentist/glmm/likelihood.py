"""The likelihood of a generalised linear mixed model, its random effects integrated out."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.glmm.outcomes import Outcome
from bayesmeta.scales import FloatArray

_REACH = 8.72  # distance from the mode at which a standard normal is e^-38 = 3e-17 of its height
_BEND = 4.0  # widths after which the nodes begin to spread exponentially
_SMOOTH = 1.5  # change of the linear predictor over a width from which the nodes move closer
_STEPS = 200  # of the search for the random effects' modes
_FAR = 4.0  # longest step of it, in standard deviations of a random effect


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Glmm:
    """Counts whose linear predictor is linear in the parameters, given standard normal effects.

    eta of an arm = offset + own intercept + sum of loading x parameter x (1 or a random effect).

    Attributes
    ----------
    outcome : Outcome
        Distribution of the counts.
    offset : (study, arm)
        Known part of the linear predictor.
    own_intercept : bool
        Whether every study has an intercept of its own, a parameter each.
    loading : (arm, shared)
        Factors of the parameters that studies share; the first is the effect, the second tau.
    effect_of : tuple of int
        For each shared parameter, the number of the random effect that it is the standard
        deviation of, or -1.
    start : (shared,)
        Where a search may begin, at tau = 0.
    own_start : (study,)
        The same for the intercepts; zeros without them.
    """

    outcome: Outcome
    offset: FloatArray
    own_intercept: bool
    loading: FloatArray
    effect_of: tuple[int, ...]
    start: FloatArray
    own_start: FloatArray

    @property
    def effects(self) -> int:
        """Number of random effects of a study."""
        return max(self.effect_of) + 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nodes:
    """Points z of the random effects, and log weights of a rule for the integral over z.

    Attributes
    ----------
    z : (study, node, effect)
        Points, in standard deviations of the random effects.
    log_weight : (study, node)
        Of the rule, without the normal density.
    """

    z: FloatArray
    log_weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marginal:
    """Log likelihood of every study and its derivatives; own intercept first, then shared.

    Attributes
    ----------
    value : (study,)
        All constants included.
    gradient : (study, parameter)
        First derivatives.
    hessian : (study, parameter, parameter)
        Second derivatives.
    """

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


def marginal(model: Glmm, shared: FloatArray, own: FloatArray, nodes: Nodes) -> Marginal:
    """Integrate the random effects out by a given rule.

    With weights w of the rule, density p(z) of the random effects and g the gradient, H the
    Hessian of the log probability given z: log sum w p exp(.), E(g) and E(H + gg') - E(g)E(g)'.

    Parameters
    ----------
    model : Glmm
        Counts and structure.
    shared : (shared,)
        Shared parameters.
    own : (study,)
        Intercepts; any numbers where the model has none.
    nodes : Nodes
        Rule; the derivatives are those of the integral as far as the rule is exact.

    Returns
    -------
    Marginal
    """
    x = _multipliers(model, nodes.z)
    curve = model.outcome.at(_predictor(model, shared, own, x))
    log_density = -0.5 * (nodes.z**2).sum(-1) - 0.5 * model.effects * np.log(2.0 * np.pi)
    log_term = curve.value.sum(1) + log_density + nodes.log_weight
    value = logsumexp(log_term, axis=-1)
    share = np.exp(log_term - value[:, None])
    loading, x = _with_own(model, x)
    slope = np.einsum("san,ap->snp", curve.slope, loading) * x
    gradient = np.einsum("sn,snp->sp", share, slope)
    bend = np.einsum("sn,san,snp,snq->apqs", share, curve.bend, x, x, optimize=True)
    hessian = np.einsum("apqs,ap,aq->spq", bend, loading, loading)
    away = slope - gradient[:, None, :]
    hessian = hessian + np.einsum("sn,snp,snq->spq", share, away, away, optimize=True)
    return Marginal(value=value, gradient=gradient, hessian=hessian)


def nodes_for(model: Glmm, shared: FloatArray, own: FloatArray, *, step: float) -> Nodes:
    """Lay a trapezoidal rule about every study's mode of the random effects.

    The nodes are even near the mode, in widths (from the curvature there), and spread exponentially
    farther out. The integrand falls at least as fast as a standard normal from its mode, since
    the outcomes are log-concave; the rule ends where that bound is e^-38.

    Parameters
    ----------
    model, shared, own
        As for `marginal`.
    step : float
        Distance of the nodes near the mode, in widths, or less where the outcome bends sharply
        within a width: at 1 the relative error is about 1e-6, at 0.5 rounding is all that is left.

    Returns
    -------
    Nodes

    Raises
    ------
    NotEstimableError
        A mode was not found.
    """
    mode, curvature = _modes(model, shared, own)
    precision, axes = np.linalg.eigh(curvature)  # (study, effect), (study, effect, effect)
    width = 1.0 / np.sqrt(precision)
    last = _BEND * np.arcsinh(_REACH / (_BEND * width))
    steepest = np.abs(np.einsum("ae,sef->saf", _scale(model, shared), axes)).max(1)
    smooth = np.minimum(1.0, _SMOOTH / np.maximum(width * steepest, _SMOOTH))
    n = int(np.ceil((2.0 * last / (step * smooth)).max())) + 1
    t = np.linspace(-1.0, 1.0, n)[:, None] * last[:, None, :] / _BEND  # (study, n, effect)
    z = width[:, None, :] * _BEND * np.sinh(t)
    log_weight = np.log(width * 2.0 * last / (n - 1))[:, None, :] + np.log(np.cosh(t))
    grid = np.indices((n,) * model.effects).reshape(model.effects, -1)  # (effect, node)
    each = range(model.effects)
    z = np.stack([z[:, grid[e], e] for e in each], axis=-1)
    return Nodes(
        z=mode[:, None, :] + np.einsum("sef,snf->sne", axes, z),
        log_weight=np.sum([log_weight[:, grid[e], e] for e in each], axis=0),
    )


def _modes(model: Glmm, shared: FloatArray, own: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give where the integrand peaks (study, effect), and minus its log's second derivative.

    Newton steps, shortened where they are long or do not go up; the log of the integrand is
    concave. The rule is exact about any centre, so that a rough one will do.
    """
    z = np.zeros((len(model.offset), model.effects))
    height, slope, curvature = _integrand(model, shared, own, z)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        if np.all((step * slope).sum(-1) < 1e-6):
            return z, curvature
        length = np.sqrt((step**2).sum(-1))
        factor = np.minimum(1.0, _FAR / np.maximum(length, _FAR))
        while True:
            ahead = z + factor[:, None] * step
            new = _integrand(model, shared, own, ahead)
            lower = new[0] < height - 1e-9 * (1.0 + np.abs(height))
            if not lower.any():
                break
            factor = np.where(lower, factor / 2.0, factor)
        z, (height, slope, curvature) = ahead, new
    raise NotEstimableError(
        f"The random effects given the data have no mode within {_STEPS} steps: "
        "the parameters have run away. The likelihood may have no finite maximum."
    )


def _integrand(
    model: Glmm, shared: FloatArray, own: FloatArray, z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give the log integrand at z (study, effect), its gradient and minus its Hessian."""
    curve = model.outcome.at(_predictor(model, shared, own, _multipliers(model, z[:, None, :])))
    scale = _scale(model, shared)
    height = curve.value[..., 0].sum(1) - 0.5 * (z**2).sum(-1)
    slope = np.einsum("sa,ae->se", curve.slope[..., 0], scale) - z
    bend = np.einsum("sa,ae,af->sef", curve.bend[..., 0], scale, scale)
    return height, slope, np.eye(model.effects) - bend


def _scale(model: Glmm, shared: FloatArray) -> FloatArray:
    """Give the change (arm, effect) of the linear predictor per unit of a random effect."""
    scale = np.zeros((len(model.loading), model.effects))
    for p, e in enumerate(model.effect_of):
        if e >= 0:
            scale[:, e] = model.loading[:, p] * shared[p]
    return scale


def _multipliers(model: Glmm, z: FloatArray) -> FloatArray:
    """Give what each shared parameter is multiplied by (study, node, shared): 1 or an effect."""
    one = np.ones(z.shape[:2])
    return np.stack([one if e < 0 else z[..., e] for e in model.effect_of], axis=-1)


def _predictor(model: Glmm, shared: FloatArray, own: FloatArray, x: FloatArray) -> FloatArray:
    """Give the linear predictor (study, arm, node)."""
    fixed = model.offset + own[:, None] if model.own_intercept else model.offset
    return np.asarray(fixed[..., None] + np.einsum("snp,ap->san", x * shared, model.loading))


def _with_own(model: Glmm, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put the own intercept, where there is one, before the shared parameters."""
    if not model.own_intercept:
        return model.loading, x
    arms = len(model.loading)
    return (
        np.concatenate([np.ones((arms, 1)), model.loading], axis=1),
        np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=-1),
    )
