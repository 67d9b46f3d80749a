"""Maximum likelihood for generalised linear mixed models, with a report of how it was reached."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.glmm.likelihood import Glmm, Marginal, marginal, nodes_for
from bayesmeta.scales import FloatArray

type BoolArray = NDArray[np.bool_]

_TAUS = (0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of the search for the highest peak
_TAU = 1  # place of tau among the shared parameters
_FALLEN = 10.0  # log units below the highest, twice and falling: larger values are left out
_STEPS = 200
_LONGEST = 2.0  # step, in units of a linear predictor
_ROUGH = 1e-3  # decrement that will do during the search
_NUDGE = 0.1  # of a standard deviation that stands on a saddle at 0
_ZERO = 1e-6  # a standard deviation below this is on its boundary
_NODE_STEP = 0.5  # first distance of the nodes, in widths
_REFINEMENTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class GlmmFit:
    """A maximum of the likelihood, and how it was reached.

    Attributes
    ----------
    estimate, se : float
        Effect on the analysis scale, and its standard error from the inverse of the full observed
        information: the uncertainty of tau is in it, unless tau is on its boundary.
    tau2 : float
        Between-study variance; exactly 0 on the boundary.
    log_likelihood : float
        At the maximum, all constants included.
    log_likelihood_common : float
        At the maximum under tau = 0.
    shared : tuple of float
        All shared parameters, in the order of the model; standard deviations are positive.
    boundary : bool
        True where tau2 is 0 because the likelihood falls from there.
    iterations : int
        Newton steps of the last search.
    decrement : float
        Length of the last Newton step in units of the standard errors.
    node_step : float
        Distance of the nodes of the integrals, in widths of the integrand.
    quadrature_error : float
        Change of the log likelihood with nodes 1.4 times as dense, plus the Newton step that would
        still be taken with them, in standard errors.
    """

    estimate: float
    se: float
    tau2: float
    log_likelihood: float
    log_likelihood_common: float
    shared: tuple[float, ...]
    boundary: bool
    iterations: int
    decrement: float
    node_step: float
    quadrature_error: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """Parameters, and the likelihood there."""

    shared: FloatArray
    own: FloatArray
    at: Marginal
    node_step: float
    iterations: int = 0
    decrement: float = np.inf

    @property
    def height(self) -> float:
        return float(self.at.value.sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Step:
    """A Newton step, its length in standard errors, and the information of what is free."""

    shared: FloatArray
    own: FloatArray
    decrement: float
    information: FloatArray
    uphill: bool


def fit_glmm(model: Glmm, *, name: str, heterogeneous: bool = True, tol: float = 1e-9) -> GlmmFit:
    """Maximise the likelihood over all parameters, tau >= 0, the random effects integrated out.

    The highest of up to eight values of tau, each with all else at its maximum, is where joint
    Newton steps with exact derivatives begin, so that a lower local maximum is not taken for the
    highest. Study intercepts are eliminated from each step (Schur complement). The integrals are
    refined until neither the log likelihood nor the estimates move.

    Parameters
    ----------
    model : Glmm
        Counts and structure.
    name : str
        Of the model, for messages.
    heterogeneous : bool
        False keeps tau at 0: the common-effect model.
    tol : float
        Length of the last Newton step, in standard errors.

    Returns
    -------
    GlmmFit

    Raises
    ------
    NotEstimableError
        The search did not converge, or the likelihood rises as tau grows without end.

    References
    ----------
    Stijnen, Hamza and Özdemir (2010), Statistics in Medicine 29:3046.
    """
    free = np.ones(len(model.effect_of), dtype=bool)
    free[_TAU] = False
    common = _climb(
        model, _state(model, model.start, model.own_start, _NODE_STEP), free, tol=tol, name=name
    )
    best = common
    if heterogeneous:
        free[_TAU] = True
        best = _highest(model, common, free, tol=tol, name=name)
        free[_TAU] = abs(best.shared[_TAU]) > _ZERO
    best, error = _refined(model, best, free, tol=tol, name=name)
    information = _newton(model, best, free).information
    if not np.all(np.linalg.eigvalsh(information) > 0):
        raise NotEstimableError(
            f"{name}: the likelihood is not curved at its maximum, so that there is no standard "
            "error. REML has one wherever the studies have."
        )
    variance = float(np.linalg.inv(information)[0, 0])
    shared = np.where(np.array(model.effect_of) >= 0, np.abs(best.shared), best.shared)
    if not free[_TAU]:
        shared[_TAU] = 0.0
    return GlmmFit(
        estimate=float(shared[0]),
        se=float(np.sqrt(variance)),
        tau2=float(shared[_TAU] ** 2),
        log_likelihood=best.height,
        log_likelihood_common=common.height,
        shared=tuple(shared.tolist()),
        boundary=heterogeneous and not free[_TAU],
        iterations=best.iterations,
        decrement=best.decrement,
        node_step=best.node_step,
        quadrature_error=error,
    )


def _state(model: Glmm, shared: FloatArray, own: FloatArray, node_step: float) -> _State:
    at = marginal(model, shared, own, nodes_for(model, shared, own, step=node_step))
    return _State(shared=shared, own=own, at=at, node_step=node_step)


def _highest(model: Glmm, common: _State, free: BoolArray, *, tol: float, name: str) -> _State:
    """Give the highest maximum over tau, from the best of a grid."""
    others = free.copy()
    others[_TAU] = False
    rows = [common]
    for tau in _TAUS[1:]:
        shared = rows[-1].shared.copy()
        shared[_TAU] = tau
        there = _state(model, shared, rows[-1].own, _NODE_STEP)
        rows.append(_climb(model, there, others, tol=_ROUGH, name=name))
        heights = [row.height for row in rows]
        if max(heights[-2:]) < max(heights) - _FALLEN and heights[-1] < heights[-2]:
            break
    best = int(np.argmax(heights))
    if best == len(_TAUS) - 1:
        raise NotEstimableError(
            f"{name} has no finite maximum: the likelihood still rises at tau = {_TAUS[-1]:g}. "
            "Studies at opposite extremes do that. A binomial likelihood with proper priors can be "
            "fitted."
        )
    if best > 0:
        return _climb(model, rows[best], free, tol=tol, name=name)
    if common.at.hessian[:, -len(free) + _TAU, -len(free) + _TAU].sum() <= 0.0:
        return common
    shared = common.shared.copy()
    shared[_TAU] = _TAUS[1] / 2.0
    there = _state(model, shared, common.own, _NODE_STEP)
    return _climb(model, there, free, tol=tol, name=name)


def _refined(
    model: Glmm, state: _State, free: BoolArray, *, tol: float, name: str
) -> tuple[_State, float]:
    """Refine the integrals until nothing moves; give the maximum and how much it still moved."""
    for _ in range(_REFINEMENTS):
        finer = _state(model, state.shared, state.own, state.node_step / 1.4)
        error = abs(finer.height - state.height) + _newton(model, finer, free).decrement
        if error <= 100.0 * tol:
            return state, error
        state = _climb(model, finer, free, tol=tol, name=name)
    raise NotEstimableError(
        f"{name}: the integrals over the random effects still move by {error:.1e} with "
        f"nodes {state.node_step:.2g} widths apart. REML needs no integral."
    )


def _climb(model: Glmm, state: _State, free: BoolArray, *, tol: float, name: str) -> _State:
    """Take Newton steps to a maximum of the likelihood over the parameters marked free."""
    for iteration in range(_STEPS):
        step = _newton(model, state, free)
        if step.decrement <= tol:
            at_zero = free & (np.array(model.effect_of) >= 0) & (np.abs(state.shared) < _NUDGE)
            if step.uphill or not at_zero.any():
                return replace(state, iterations=iteration, decrement=step.decrement)
            # a saddle where a standard deviation is 0
            nudged = state.shared + _NUDGE * at_zero
            state = _state(model, nudged, state.own, state.node_step)
            continue
        largest = max(np.abs(step.shared).max(), np.abs(step.own).max(initial=0.0))
        factor = min(1.0, _LONGEST / float(largest)) if largest > 0 else 1.0
        slack = 1e-12 * (1.0 + abs(state.height))
        while True:
            ahead = _state(
                model,
                state.shared + factor * step.shared,
                state.own + factor * step.own,
                state.node_step,
            )
            if ahead.height >= state.height - slack or factor < 1e-8:
                break
            factor /= 2.0
        state = ahead
    raise NotEstimableError(
        f"{name} did not converge in {_STEPS} steps: the last step was still "
        f"{step.decrement:.1e} standard errors (tol {tol:.0e}). The likelihood may have no finite "
        "maximum; REML has an estimate wherever the studies have."
    )


def _newton(model: Glmm, state: _State, free: BoolArray) -> _Step:
    """Eliminate the intercepts, and solve for the shared parameters that are free.

    Where the likelihood is not concave, the eigenvalues of the information take their absolute
    values, so that the step goes up all the same.
    """
    gradient, hessian = state.at.gradient, state.at.hessian
    first = 1 if model.own_intercept else 0
    g = gradient[:, first:].sum(0)
    information = -hessian[:, first:, first:].sum(0)
    if first:
        d, b = -hessian[:, 0, 0], -hessian[:, 0, 1:]
        g = g - (b * (gradient[:, :1] / d[:, None])).sum(0)
        information = information - np.einsum("sp,sq,s->pq", b, b, 1.0 / d)
    g, information = g[free], information[np.ix_(free, free)]
    values, vectors = np.linalg.eigh(information)
    size = np.maximum(np.abs(values), 1e-12 * max(float(np.abs(values).max(initial=0.0)), 1e-300))
    along = vectors.T @ g
    shared = np.zeros(len(free))
    shared[free] = vectors @ (along / size)
    own = np.zeros(len(state.own))
    decrement2 = float((along**2 / size).sum())
    if first:
        own = (gradient[:, 0] - b @ shared) / d
        decrement2 += float((gradient[:, 0] ** 2 / d).sum())
    return _Step(
        shared=shared,
        own=own,
        decrement=float(np.sqrt(decrement2)),
        information=information,
        uphill=bool(values.min(initial=1.0) > 0),
    )
