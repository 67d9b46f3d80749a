"""Selection models: what the studies say if significant results were more likely published."""

from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from bayesmeta.effects import Correction
from bayesmeta.errors import ModelError, NotEstimableError
from bayesmeta.frequentist.bias.step_likelihood import Alternative, StepLikelihood
from bayesmeta.frequentist.independent import independent_effects
from bayesmeta.frequentist.intervals.simple import require_level, symmetric_interval, two_sided_p
from bayesmeta.frequentist.least_squares import weighted_fit
from bayesmeta.frequentist.tau2.likelihood import fit_ml
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable

MOST, LEAST = 100.0, 1e-6  # bounds of a relative chance of publication
_BEST = 8  # starting points that are followed
_STEPS = 500
_TOL = 1e-9  # gradient, in units of log likelihood per typical step


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectionModel:
    """A step-function selection model by maximum likelihood; analysis scale, nan is undefined.

    Attributes
    ----------
    measure, alternative : str
        Effect measure; what the p-values test.
    steps : tuple of float
        Upper ends of the intervals of p-values, the last one 1.
    studies : tuple of int
        Studies in each interval.
    delta : tuple of float
        Chance of publication relative to the first interval, in [1e-6, 100].
    estimate, se, ci_low, ci_high, p_value : float
        Mean effect of all studies, published or not; the error from the observed information.
    tau2 : float
        Between-study variance.
    log_likelihood : float
        At the maximum.
    unselected_estimate, unselected_tau2, unselected_log_likelihood : float
        The same without selection: all delta 1.
    lrt, lrt_df, lrt_p : float, int, float
        Likelihood-ratio test of all delta = 1.
    gradient : float
        Largest slope left, in units of log likelihood per standard error; that of parameters at a
        bound counts only inwards.
    iterations : int
        Newton steps that led to the maximum.
    level : float
        Coverage of the interval.
    notes : tuple of str
        Bounds that were met; intervals with few studies.
    """

    measure: str
    alternative: Alternative
    steps: tuple[float, ...]
    studies: tuple[int, ...]
    delta: tuple[float, ...]
    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p_value: float
    tau2: float
    log_likelihood: float
    unselected_estimate: float
    unselected_tau2: float
    unselected_log_likelihood: float
    lrt: float
    lrt_df: int
    lrt_p: float
    gradient: float
    iterations: int
    level: float
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Give a tidy frame, one row per interval of p-values."""
        low = (0.0, *self.steps[:-1])
        return pd.DataFrame(
            {"p_above": low, "p_to": self.steps, "studies": self.studies, "delta": self.delta}
        )


def selection_model(
    studies: StudyTable,
    measure: str,
    *,
    steps: tuple[float, ...] = (0.025,),
    alternative: Alternative | None = None,
    level: float = 0.95,
    correction: Correction = "only0",
) -> SelectionModel:
    """Fit a random-effects model in which publication depends on the p-value, by steps.

    A sensitivity analysis: it trusts the normal distribution of the true effects and the steps
    that were chosen, and with few studies in an interval its delta is hardly determined.

    Parameters
    ----------
    studies : StudyTable
        One comparison and one outcome.
    measure : str
        Effect measure, a key of `MEASURES`.
    steps : tuple of float
        Rising p-values in (0, 1) at which the chance of publication changes.
    alternative : {"greater", "less", "two-sided"}, optional
        What the p-values test. Not given: one-sided, in the direction of the pooled effect.
    level : float
        Coverage of the interval, in (0.5, 1).
    correction : {"only0", "all", "none"}
        Where 1/2 is added to the cells of 2x2 tables.

    Returns
    -------
    SelectionModel

    Raises
    ------
    ModelError
        Unknown measure or alternative; steps that do not rise within (0, 1); not a coverage.
    NotEstimableError
        Fewer studies than parameters, or the search did not converge.

    References
    ----------
    Vevea and Hedges (1995), Psychometrika 60:419; Iyengar and Greenhouse (1988), Statistical
    Science 3:109.

    Examples
    --------
    >>> from bayesmeta.studies import load
    >>> found = selection_model(load("bcg"), "OR")
    >>> found.alternative, round(found.estimate, 4), round(found.delta[1], 4)
    ('less', -0.6636, 0.6836)
    """
    require_level(level)
    _require_steps(steps)
    if alternative is not None and alternative not in get_args(Alternative.__value__):
        known = ", ".join(get_args(Alternative.__value__))
        raise ModelError(f"unknown alternative {alternative!r}. There are: {known}.")
    effects = independent_effects(studies, measure, correction=correction)
    y, v = effects.y, effects.v
    if len(y) < 2 + len(steps):
        raise NotEstimableError(
            f"{len(y)} studies are fewer than the {2 + len(steps)} parameters of the selection "
            "model. Use fewer steps."
        )
    notes = [*effects.notes]
    X = np.ones((len(y), 1))
    tau2 = float(fit_ml(y, v, X).tau2)
    plain = float(weighted_fit(y, v + tau2, X).beta[0])
    if alternative is None:
        alternative = "greater" if plain > 0 else "less"
        notes.append(f"p-values one-sided, for effects {alternative} than 0, as pooled")
    unit = float(np.sqrt(np.median(v)))  # so that the search does not depend on the data's unit
    model = StepLikelihood.of(y / unit, v / unit**2, cuts=steps, alternative=alternative)
    start = np.concatenate([[plain / unit, tau2 / unit**2], np.zeros(len(steps))])
    best, iterations, gradient = maximise(model, start)
    back = len(y) * np.log(unit)
    at_start, at_best = float(model.value(start)) - back, float(model.value(best)) - back
    delta = (1.0, *np.clip(np.exp(best[2:]), LEAST, MOST).tolist())
    se = _standard_error(model, best) * unit
    estimate = float(best[0]) * unit
    limits = symmetric_interval(estimate, se, level=level)
    counts = np.bincount(model.interval, minlength=len(delta))
    lrt = max(0.0, 2.0 * (at_best - at_start))
    return SelectionModel(
        measure=measure,
        alternative=alternative,
        steps=(*steps, 1.0),
        studies=tuple(counts.tolist()),
        delta=delta,
        estimate=estimate,
        se=se,
        ci_low=float(limits.low),
        ci_high=float(limits.high),
        p_value=float(two_sided_p(estimate, se)),
        tau2=float(best[1]) * unit**2,
        log_likelihood=at_best,
        unselected_estimate=plain,
        unselected_tau2=tau2,
        unselected_log_likelihood=at_start,
        lrt=lrt,
        lrt_df=len(steps),
        lrt_p=float(chdtrc(len(steps), lrt)),
        gradient=gradient,
        iterations=iterations,
        level=level,
        notes=(*notes, *_told(delta, counts.tolist(), tau2=float(best[1]), se=se)),
    )


def maximise(model: StepLikelihood, start: FloatArray) -> tuple[FloatArray, int, float]:
    """Find the highest maximum that is reached from a grid of starting points.

    The likelihood can have several maxima. Of a grid over mean, tau2 and delta the highest points
    and `start` are followed by Newton steps inside the bounds, each made to climb.

    Parameters
    ----------
    model : StepLikelihood
        In units in which the standard errors are near 1.
    start : (parameter,)
        A first guess.

    Returns
    -------
    tuple of (parameter,), int, float
        Maximum, steps taken and the gradient that is left.

    Raises
    ------
    NotEstimableError
        The highest point that was reached is no maximum.
    """
    cuts = model.size - 2
    spread = float(np.sqrt(start[1] + np.median(model.v)))
    means = start[0] + spread * np.linspace(-3.0, 3.0, 13)
    tau2s = np.append(0.0, (start[1] + 1.0) * np.geomspace(0.03, 10.0, 7))
    deltas = np.log([0.01, 0.1, 0.5, 1.0, 3.0, 20.0])
    grid = np.stack(np.meshgrid(means, tau2s, deltas, indexing="ij"), -1).reshape(-1, 3)
    points = np.concatenate([grid[:, :2], np.repeat(grid[:, 2:], cuts, axis=1)], axis=1)
    highest = points[np.argsort(model.value(points))[::-1][:_BEST]]
    runs = [_climb(model, point) for point in (start, *highest)]
    best, iterations, gradient = max(runs, key=lambda run: float(model.value(run[0])))
    if not gradient <= _TOL * 100:
        raise NotEstimableError(
            f"The selection model did not converge: at the highest likelihood found, the gradient "
            f"is still {gradient:.1e} after {iterations} steps. Use fewer steps."
        )
    return best, iterations, gradient


def _climb(model: StepLikelihood, at: FloatArray) -> tuple[FloatArray, int, float]:
    low, high = _bounds(model)
    at = np.clip(at, low, high)
    height, size = float(model.value(at)), np.inf
    for iteration in range(_STEPS):
        gradient, hessian = model.derivatives(at)
        stuck = ((at <= low) & (gradient < 0)) | ((at >= high) & (gradient > 0))
        free = np.flatnonzero(~stuck)
        if not len(free):
            return at, iteration, 0.0
        total = float(np.median(model.v)) + float(at[1])  # mean and tau2 move in its units
        unit = np.append([np.sqrt(total), total], np.ones(model.size - 2))[free]
        values, vectors = np.linalg.eigh(unit[:, None] * hessian[np.ix_(free, free)] * unit)
        curvature = np.maximum(np.abs(values), 1e-8)
        inside = vectors.T @ (unit * gradient[free])
        size = float(np.abs(inside / np.sqrt(curvature)).max())
        if size <= _TOL:
            return at, iteration, size
        step = vectors @ (inside / curvature)
        step *= min(1.0, 3.0 / float(np.abs(step).max()))
        move = np.zeros_like(at)
        move[free] = unit * step
        for halving in 0.5 ** np.arange(40):
            ahead = np.clip(at + halving * move, low, high)
            new = float(model.value(ahead))
            if new > height:
                break
        else:
            return at, iteration, size
        at, height = ahead, new
    return at, _STEPS, size


def _bounds(model: StepLikelihood) -> tuple[FloatArray, FloatArray]:
    low, high = np.full(model.size, np.log(LEAST)), np.full(model.size, np.log(MOST))
    low[0], high[0] = -np.inf, np.inf
    low[1], high[1] = 0.0, np.inf
    return low, high


def _standard_error(model: StepLikelihood, best: FloatArray) -> float:
    """Give the standard error of the mean from the information of what is not at a bound."""
    low, high = _bounds(model)
    free = np.flatnonzero((best > low) & (best < high))
    information = -model.derivatives(best)[1][np.ix_(free, free)]
    values, vectors = np.linalg.eigh(information)
    if values[0] <= 1e-10 * values[-1]:
        return float("nan")
    return float(np.sqrt((vectors[0] ** 2 / values).sum()))


def _require_steps(steps: tuple[float, ...]) -> None:
    rising = all(a < b for a, b in zip((0.0, *steps), (*steps, 1.0), strict=True))
    if not steps or not rising:
        raise ModelError(
            f"steps = {steps} do not rise between 0 and 1. Write (0.025,) or (0.025, 0.5); the "
            "last interval ends at 1 by itself."
        )


def _told(delta: tuple[float, ...], counts: list[int], *, tau2: float, se: float) -> list[str]:
    notes = []
    for number, (size, count) in enumerate(zip(delta, counts, strict=True), start=1):
        if count == 0:
            notes.append(f"no study has its p-value in interval {number}")
        if number > 1 and not LEAST * (1 + 1e-9) < size < MOST * (1 - 1e-9):
            notes.append(
                f"delta {number} is at its bound {size:.3g}: the likelihood keeps rising there, "
                "and the other numbers hold for that bound only"
            )
    if tau2 == 0.0:
        notes.append("tau2 is at its lower bound 0; the error takes it as known")
    if np.isnan(se):
        notes.append("the information is singular: there is no standard error")
    return notes
