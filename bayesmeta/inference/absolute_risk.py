"""What a relative effect means for patients: risk, risk difference and number needed to treat."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

import numpy as np
from scipy.special import expit, logit

from bayesmeta.effects import Measure
from bayesmeta.errors import ModelError
from bayesmeta.inference.mapped import Curve, Mapped
from bayesmeta.inference.marginals import Marginal
from bayesmeta.priors import Prior
from bayesmeta.scales import FloatArray

type BaselineScale = Literal["risk", "logit"]
type Direction = Literal["higher", "lower"]

_TOLD = 1e-4  # probability of an impossible risk from which it is told


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A number needed to treat for one more patient with benefit (NNTB) or with harm (NNTH)."""

    kind: Literal["NNTB", "NNTH"]
    number: float

    def __str__(self) -> str:
        if math.isinf(self.number):
            return f"{self.kind} ∞"
        return f"{self.kind} {self.number:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberNeeded:
    """A number needed to treat with its interval, which may pass through infinity.

    Attributes
    ----------
    estimate, worst, best : Needed
        At the median of the risk difference and at the ends of its interval: the least and the
        most favourable one.
    level : float
        Probability of the interval.

    Notes
    -----
    Where worst is a harm and best a benefit the interval runs from NNTH through infinity (no
    difference) to NNTB; there is no mean (Altman 1998, BMJ 317:1309-1312).
    """

    estimate: Needed
    worst: Needed
    best: Needed
    level: float

    @property
    def through_infinity(self) -> bool:
        """Whether the interval holds the absence of any difference."""
        return self.worst.kind != self.best.kind

    def __str__(self) -> str:
        middle = " to ∞ to " if self.through_infinity else " to "
        return f"{self.estimate} ({self.worst}{middle}{self.best})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AbsoluteRisk:
    """Absolute effects at a baseline risk.

    Attributes
    ----------
    baseline : str
        The baseline risk, or its distribution, in words.
    risk : Marginal
        Risk with the treatment.
    difference : Marginal
        That risk less the baseline risk; negative where the treatment prevents events.
    notes : tuple of str
        What should be known of the numbers.
    """

    baseline: str
    risk: Marginal
    difference: Marginal
    notes: tuple[str, ...]

    def number_needed(self, *, better: Direction, level: float = 0.95) -> NumberNeeded:
        """Give the number needed to treat; `better` says whether events are "higher" or "lower".

        Examples
        --------
        >>> import bayesmeta as bm
        >>> model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(),
        ...                  effect=bm.Normal(0, 2.82), heterogeneity=bm.HalfNormal(0.5))
        >>> risk = bm.fit(model, bm.load("bcg")).absolute_risk(baseline=0.02)
        >>> print(risk.number_needed(better="lower"))
        NNTB 96.9 (NNTB 166.3 to NNTB 74.5)
        """
        median, ends = (
            float(self.difference.quantile(0.5)),
            self.difference.interval(level).tolist(),
        )
        return express_number_needed(median, *ends, better=better, level=level)


def express_number_needed(
    difference: float, low: float, high: float, *, better: Direction, level: float = 0.95
) -> NumberNeeded:
    """Express a risk difference and its interval as a number needed to treat.

    Parameters
    ----------
    difference, low, high : float
        Risk with treatment less risk without it.
    better : {"higher", "lower"}
        Whether more or fewer events are good.
    level : float
        Probability of the interval.

    References
    ----------
    Altman (1998), BMJ 317:1309-1312.

    Examples
    --------
    >>> print(express_number_needed(-0.10, -0.25, 0.05, better="lower"))
    NNTB 10 (NNTH 20 to ∞ to NNTB 4)
    """
    if better not in ("higher", "lower"):
        raise ModelError(f'better = {better!r} is neither "higher" nor "lower"')
    sign = 1.0 if better == "higher" else -1.0

    def needed(difference: float) -> Needed:
        benefit = sign * difference
        number = math.inf if difference == 0 else 1 / abs(difference)
        return Needed(kind="NNTB" if benefit >= 0 else "NNTH", number=number)

    worst, best = sorted((low, high), key=lambda end: sign * end)
    return NumberNeeded(
        estimate=needed(difference), worst=needed(worst), best=needed(best), level=level
    )


def find_absolute_risk(
    measure: Measure, effect: Marginal, baseline: float | Prior, baseline_on: BaselineScale
) -> AbsoluteRisk:
    """Absolute effects of OR, RR or RD; the arguments are those of `Posterior.absolute_risk`."""
    if measure.name not in _MAPS:
        raise ModelError(
            f"{measure.name} does not turn a baseline risk into a risk. Absolute risks are given "
            f"for {', '.join(_MAPS)}"
        )
    b, weights, told = _baseline_nodes(baseline, baseline_on)
    risk, difference = _MAPS[measure.name]
    bounded = measure.name != "RR"
    found = Mapped(base=effect, **risk(b), weights=weights, has_moments=bounded)
    notes = []
    impossible = float(found.sf(1.0)) + (float(found.cdf(0.0)) if measure.name == "RD" else 0.0)
    if impossible > _TOLD:
        notes.append(
            f"with probability {impossible:.2g} this {measure.label} takes the baseline risk out "
            "of (0, 1), where there is no risk; the odds ratio never does"
        )
    if not bounded:
        notes.append("means and SDs are not given for a risk ratio; medians and intervals are")
    return AbsoluteRisk(
        baseline=told,
        risk=found,
        difference=effect
        if measure.name == "RD"
        else Mapped(base=effect, **difference(b), weights=weights, has_moments=bounded),
        notes=tuple(notes),
    )


def _baseline_nodes(
    baseline: float | Prior, baseline_on: BaselineScale
) -> tuple[FloatArray, FloatArray, str]:
    """Baseline risks, their weights, and what is said of them.

    A distribution is integrated over its probability by the tanh-sinh rule, which has no trouble
    with the infinite ends of its quantile function (Takahasi and Mori 1974).
    """
    if baseline_on not in ("risk", "logit"):
        raise ModelError(f'baseline_on = {baseline_on!r} is neither "risk" nor "logit"')
    if not isinstance(baseline, Prior):
        if not isinstance(baseline, Real) or not 0 < baseline < 1:
            raise ModelError(
                f"baseline = {baseline!r} is no risk. Give a number between 0 and 1, such as 0.3 "
                "for 30%, or a distribution"
            )
        return np.array([float(baseline)]), np.ones(1), f"{baseline:g}"
    low, high = baseline.support
    if not baseline.proper or (baseline_on == "risk" and not 0 <= low < high <= 1):
        raise ModelError(
            f"{baseline} is no distribution of a risk. Give one on (0, 1), such as "
            'uniform(0.1, 0.3), or a proper one of the log odds with baseline_on="logit"'
        )
    u = np.linspace(-3.1, 3.1, 125)
    p = expit(np.pi * np.sinh(u))
    weights = np.cosh(u) * p * (1 - p)
    point = baseline.quantile(p)
    risks = point if baseline_on == "risk" else expit(point)
    tiny = np.finfo(float).tiny
    risks = np.clip(risks, tiny, 1 - np.finfo(float).epsneg)
    told = f"{'risk' if baseline_on == 'risk' else 'log odds'} ~ {baseline}"
    return risks, weights / weights.sum(), told


def _odds_risk(b: FloatArray) -> dict[str, Curve]:
    shift = logit(b)

    def backward(r: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return logit(np.clip(r, 0, 1))[:, None] - shift

    return {
        "forward": lambda x: expit(x[:, None] + shift),
        "backward": backward,
        "slope": lambda r: (1 / (r * (1 - r)))[:, None] + 0 * b,
    }


def _odds_difference(b: FloatArray) -> dict[str, Curve]:
    def forward(x: FloatArray) -> FloatArray:
        more = np.expm1(np.clip(x, -700, 700))[:, None]
        out: FloatArray = b * (1 - b) * more / (1 + b * more)
        return out

    def backward(d: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.log1p(d[:, None] / b) - np.log1p(-d[:, None] / (1 - b))
        inner = np.where(d[:, None] <= -b, -np.inf, inner)
        return np.where(d[:, None] >= 1 - b, np.inf, inner)

    def slope(d: FloatArray) -> FloatArray:
        risk = b + d[:, None]
        out: FloatArray = 1 / (risk * (1 - risk))
        return out

    return {"forward": forward, "backward": backward, "slope": slope}


def _power(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.exp(x)[:, None]


def _excess(x: FloatArray) -> FloatArray:
    with np.errstate(over="ignore"):
        return np.expm1(x)[:, None]


def _ratio_risk(b: FloatArray) -> dict[str, Curve]:
    def backward(r: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(np.maximum(r, 0))[:, None] - np.log(b)

    return {
        "forward": lambda x: b * _power(x),
        "backward": backward,
        "slope": lambda r: (1 / r)[:, None] + 0 * b,
    }


def _ratio_difference(b: FloatArray) -> dict[str, Curve]:
    def backward(d: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log1p(np.maximum(d[:, None] / b, -1.0))

    return {
        "forward": lambda x: b * _excess(x),
        "backward": backward,
        "slope": lambda d: 1 / (b + d[:, None]),
    }


def _difference_risk(b: FloatArray) -> dict[str, Curve]:
    return {
        "forward": lambda x: x[:, None] + b,
        "backward": lambda r: r[:, None] - b,
        "slope": lambda r: np.ones((len(r), len(b))),
    }


_MAPS = {
    "OR": (_odds_risk, _odds_difference),
    "RR": (_ratio_risk, _ratio_difference),
    "RD": (_difference_risk, _difference_risk),
}
