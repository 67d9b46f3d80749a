"""Random meta-analyses, from easy to hostile, for every study likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from bayesmeta.likelihoods import (
    BinomialLikelihood,
    ConditionalLikelihood,
    CorrelationLikelihood,
    Likelihood,
    NormalLikelihood,
    OneArmLikelihood,
    PoissonLikelihood,
    StudentLikelihood,
)
from bayesmeta.model import Model
from bayesmeta.priors import (
    Exponential,
    Fixed,
    Flat,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
    Normal,
    Prior,
    Uniform,
)
from bayesmeta.scales import FloatArray
from bayesmeta.studies import StudyTable, read_studies

BASELINE = Normal(0, 10)
SIZES, WEIGHTS = (1, 2, 3, 5, 10, 30, 100), (0.16, 0.22, 0.22, 0.2, 0.14, 0.04, 0.02)
EFFECTS: tuple[Prior, ...] = (
    Normal(0, 2.82),
    Normal(0, 0.1),
    Normal(3, 0.3),
    Normal(0, 100),
    Flat(),
)
HETEROGENEITY: tuple[Prior, ...] = (
    HalfNormal(0.5),
    HalfNormal(0.05),
    HalfCauchy(0.3),
    Uniform(0, 5),
    LogNormal(-1, 1),
    InverseGamma(1, 0.15),
    Exponential(0.5),
    HalfStudentT(3, 1),
    Fixed(0),
)

RISK_DIFFERENCES: tuple[Prior, ...] = (
    Normal(0, 0.5),
    Normal(0, 0.02),
    Normal(0.6, 0.05),
    Normal(0, 100),
    Flat(),
)

type Generator = np.random.Generator
type Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A likelihood with its measure, and how its data are drawn.

    Attributes
    ----------
    simulate : callable
        ``simulate(rng, theta, size, level)``: columns of a table, given the true effects, numbers
        of persons (or precisions) and logits of the control risks, (study,) each.
    unit : callable
        ``unit(size, level)``: about the standard errors, (study,).
    effects : tuple of Prior
        Priors of the effect, the flat one last.
    """

    measure: str
    likelihood: Likelihood
    simulate: Callable[[Generator, FloatArray, FloatArray, FloatArray], Columns]
    unit: Callable[[FloatArray, FloatArray], FloatArray]
    proper_effect: bool = False
    effects: tuple[Prior, ...] = EFFECTS


def draw_problem(name: str, seed: int) -> tuple[Model, StudyTable]:
    """Draw a model and data of a family: always the same ones for a seed.

    From 1 to 100 studies; true spread from 0 to 10 standard errors; standard errors that differ by
    up to 1e6 (normal and t) or persons by up to 1e6 (counts); risks down to 1e-5; effect priors
    from narrow to flat, some in conflict with the data.
    """
    family, rng = FAMILIES[name], np.random.default_rng([seed, len(name)])
    k = int(rng.choice(SIZES, p=WEIGHTS))
    size = 10 ** (rng.uniform(0.7, 6) + rng.uniform(0, 6) * rng.uniform(-1, 1, k))
    size = np.clip(np.round(size), 2, 1e6)
    level = rng.choice([0.0, -2.0, -5.0, -11.0]) + rng.normal(0, 0.7, k)
    typical = float(np.median(family.unit(size, level)))
    tau = rng.choice([0.0, 0.1, 1.0, 10.0]) * min(typical, 1.0)
    mu = rng.choice([0.0, 0.5, 3.0]) * rng.standard_normal()
    theta = mu + tau * rng.standard_normal(k)
    effects = family.effects[: -1 if family.proper_effect else None]
    model = Model(
        measure=family.measure,
        likelihood=family.likelihood,
        effect=effects[rng.choice(len(effects))],
        heterogeneity=HETEROGENEITY[rng.choice(len(HETEROGENEITY))],
    )
    columns = family.simulate(rng, theta, size, level)
    labels = [f"study {i + 1}" for i in range(k)]
    return model, read_studies(pd.DataFrame({"study": labels, **columns}))


def _counts(measure: str) -> Callable[[Generator, FloatArray, FloatArray, FloatArray], Columns]:
    def simulate(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
        control = expit(level)
        if measure == "RR":
            treated = np.minimum(control * np.exp(theta), 0.999)
        else:
            treated = expit(level + theta)
        other = np.clip(np.round(size * 10 ** rng.uniform(-0.5, 0.5, len(size))), 1, 1e6)
        n_t, n_c = size.astype(np.int64), other.astype(np.int64)
        return {
            "ai": rng.binomial(n_t, treated),
            "n1i": n_t,
            "ci": rng.binomial(n_c, control),
            "n2i": n_c,
        }

    return simulate


def _risk_differences(
    rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray
) -> Columns:
    """Draw counts of risks that differ by about tanh(theta)."""
    difference = 0.98 * np.tanh(theta)
    control = expit(level) * (1 - np.abs(difference)) + np.maximum(-difference, 0)
    other = np.clip(np.round(size * 10 ** rng.uniform(-0.5, 0.5, len(size))), 1, 1e6)
    n_t, n_c = size.astype(np.int64), other.astype(np.int64)
    return {
        "ai": rng.binomial(n_t, control + difference),
        "n1i": n_t,
        "ci": rng.binomial(n_c, control),
        "n2i": n_c,
    }


def _rates(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
    other = size * 10 ** rng.uniform(-0.5, 0.5, len(size))
    treated = np.minimum(size * np.exp(level + theta), 1e9)
    return {
        "x1i": rng.poisson(treated),
        "t1i": size,
        "x2i": rng.poisson(other * np.exp(level)),
        "t2i": other,
    }


def _one_arm(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
    n = size.astype(np.int64)
    return {"xi": rng.binomial(n, expit(level + theta)), "ni": n}


def _one_rate(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
    return {"xi": rng.poisson(np.minimum(size * np.exp(level + theta), 1e9)), "ti": size}


def _correlations(
    rng: Generator,
    theta: FloatArray,
    size: FloatArray,
    level: FloatArray,  # noqa: ARG001
) -> Columns:
    """Correlations of n pairs: of the regression's sum of squares and the residuals'."""
    n, rho = np.maximum(size, 4), np.tanh(np.clip(theta, -4, 4))
    x = np.sqrt(rng.chisquare(n - 1))
    slope = rho / np.sqrt(1 - rho**2) * x + rng.standard_normal(len(n))
    return {"ri": slope / np.sqrt(slope**2 + rng.chisquare(n - 2)), "ni": n}


def _estimates(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:  # noqa: ARG001
    se = _precise(size, size)
    return {"yi": theta + se * rng.standard_normal(len(se)), "vi": se**2}


def _t_estimates(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
    df = np.round(10 ** rng.uniform(0.3, 2.5, len(size)))
    estimated = _precise(size, level) * np.sqrt(rng.chisquare(df) / df)
    error = _precise(size, level) * rng.standard_normal(len(size))
    return {"yi": theta + error, "vi": estimated**2, "df": df}


def _means(rng: Generator, theta: FloatArray, size: FloatArray, level: FloatArray) -> Columns:
    out: Columns = {}
    spread = _precise(size, level)
    for arm, mean in (("1", theta), ("2", np.zeros_like(theta))):
        n = np.round(10 ** rng.uniform(0.5, 2.5, len(size)))
        sd = spread * np.sqrt(n) * 10 ** rng.uniform(-0.3, 0.3, len(size))
        out[f"m{arm}i"] = mean + sd / np.sqrt(n) * rng.standard_normal(len(size))
        out[f"sd{arm}i"] = sd * np.sqrt(rng.chisquare(n - 1) / (n - 1))
        out[f"n{arm}i"] = n
    return out


def _precise(size: FloatArray, level: FloatArray) -> FloatArray:  # noqa: ARG001
    """Give standard errors from 4e-6 to 2, from the sizes alone."""
    return 4 / size


def _of_counts(size: FloatArray, level: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(2 / (size * expit(level) * expit(-level))))


def _of_difference(size: FloatArray, level: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(2 * expit(level) * expit(-level) / size))


def _of_pairs(size: FloatArray, level: FloatArray) -> FloatArray:  # noqa: ARG001
    return 1 / np.sqrt(size)


def _binomial(measure: str) -> Family:
    return Family(
        measure=measure,
        likelihood=BinomialLikelihood(baseline=BASELINE),
        simulate=_counts(measure),
        unit=_of_counts,
    )


FAMILIES: dict[str, Family] = {
    "normal": Family(
        measure="GEN", likelihood=NormalLikelihood(), simulate=_estimates, unit=_precise
    ),
    "binomial OR": _binomial("OR"),
    "binomial RR": _binomial("RR"),
    "binomial RD": Family(
        measure="RD",
        likelihood=BinomialLikelihood(baseline=BASELINE),
        simulate=_risk_differences,
        unit=_of_difference,
        effects=RISK_DIFFERENCES,
    ),
    "conditional OR": Family(
        measure="OR", likelihood=ConditionalLikelihood(), simulate=_counts("OR"), unit=_of_counts
    ),
    "poisson IRR": Family(
        measure="IRR",
        likelihood=PoissonLikelihood(baseline=BASELINE),
        simulate=_rates,
        unit=_of_counts,
    ),
    "one-arm PLO": Family(
        measure="PLO", likelihood=OneArmLikelihood(), simulate=_one_arm, unit=_of_counts
    ),
    "one-arm IRLN": Family(
        measure="IRLN", likelihood=OneArmLikelihood(), simulate=_one_rate, unit=_of_counts
    ),
    "correlation ZCOR": Family(
        measure="ZCOR", likelihood=CorrelationLikelihood(), simulate=_correlations, unit=_of_pairs
    ),
    "t, one estimate": Family(
        measure="GEN", likelihood=StudentLikelihood(), simulate=_t_estimates, unit=_precise
    ),
    "t, two means": Family(
        measure="MD", likelihood=StudentLikelihood(), simulate=_means, unit=_precise
    ),
}
