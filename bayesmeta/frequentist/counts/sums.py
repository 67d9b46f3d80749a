"""Pooled ratios of very many sets of 2x2 tables at once, from sums to which each table adds.

The formulas are those of `counts.tables` and of inverse variance, taken apart:
every sum over studies is additive, so that the tables of a study are worked out once.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from bayesmeta.frequentist.counts.tables import Tables
from bayesmeta.scales import FloatArray

type RatioMeasure = Literal["OR", "RR"]
type SumMethod = Literal["MH-RM", "DL-MH", "MH", "EE", "DL"]

R, S, V_RR, V_RS, V_SS, W, WY, WYY = range(8)  # rows of the terms
TERMS = 8
_Z95 = float(ndtri(0.975))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PooledRatios:
    """Pooled ratios of many sets of tables.

    Attributes
    ----------
    estimate, ci_low, ci_high : (set,)
        Ratios, with 95% limits by the normal quantile.
    p, q, q_p, i2, tau2 : (set,)
        P value of the effect; Q with its p value; I2 in percent; tau2 (0 for one common effect).
    """

    estimate: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p: FloatArray
    q: FloatArray
    q_p: FloatArray
    i2: FloatArray
    tau2: FloatArray


def table_terms(tables: Tables, measure: RatioMeasure, method: SumMethod) -> FloatArray:
    """Give what each table adds to the sums.

    Parameters
    ----------
    tables : Tables
        Cells (table,), none without an event in either arm, none with nothing but events.
    measure : {"OR", "RR"}
    method : {"MH-RM", "DL-MH", "MH", "EE", "DL"}
        1/2 is added to all cells of a table with a zero: to its own effect always, to what it adds
        to the Mantel-Haenszel sums by the methods of RevMan only.

    Returns
    -------
    (8, table) array
        Mantel-Haenszel numerator and denominator; three terms of its variance; weight, weight
        times effect, weight times squared effect.
    """
    own = tables.with_half_added()
    used = tables if method == "MH" else own
    a, b, c, d = used.a, used.b, used.c, used.d
    n1, n2 = a + b, c + d
    N = n1 + n2
    terms = np.zeros((TERMS, len(a)))
    if measure == "OR":
        terms[R], terms[S] = a * d / N, b * c / N
        first, second = (a + d) / N, (b + c) / N
        terms[V_RR] = first * terms[R]
        terms[V_RS] = first * terms[S] + second * terms[R]
        terms[V_SS] = second * terms[S]
    else:
        terms[R], terms[S] = a * n2 / N, c * n1 / N
        terms[V_RS] = 2.0 * (a * d * n1 + c * b * n2) / N**2
    y, v = _effects(own, measure)
    terms[W], terms[WY], terms[WYY] = 1.0 / v, y / v, y**2 / v
    return terms


def centre_of(terms: FloatArray, method: SumMethod) -> FloatArray:
    """Give the ratio that Q is about, which is the estimate unless the effects are random."""
    if method in ("EE", "DL"):
        return np.asarray(np.exp(terms[WY] / terms[W]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(terms[R] / terms[S])


def spread_about(terms: FloatArray, centre: FloatArray) -> FloatArray:
    """Give Q about a ratio, with inverse-variance weights."""
    log = np.log(centre)
    return np.asarray(np.maximum(terms[WYY] - 2.0 * log * terms[WY] + log**2 * terms[W], 0.0))


def pool_terms(studies: FloatArray, method: SumMethod) -> PooledRatios:
    """Pool sets of tables.

    Parameters
    ----------
    studies : (8, study, set) array
        What the table of each study adds, as `table_terms` gives it.
    method : {"MH-RM", "DL-MH", "MH", "EE", "DL"}
        A key of `METHODS`.

    Returns
    -------
    PooledRatios
        NaN where there is none: a sum of zero.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = studies.sum(1)
        centre = centre_of(terms, method)
        q = spread_about(terms, centre)
        k = studies.shape[1]
        if method in ("DL-MH", "DL"):
            weights = studies[W]
            scale = terms[W] - (weights**2).sum(0) / terms[W]
            tau2 = np.maximum((q - (k - 1)) / scale, 0.0) if k > 1 else np.zeros_like(q)
            spread = 1.0 / (1.0 / weights + tau2)
            log = (spread * studies[WY] / weights).sum(0) / spread.sum(0)
            se = 1.0 / np.sqrt(spread.sum(0))
        else:
            tau2, log, se = np.zeros_like(q), np.log(centre), _common_error(terms, method)
        i2 = np.where(q > 0, 100.0 * np.maximum(q - (k - 1), 0.0) / q, 0.0)
    return PooledRatios(
        estimate=np.exp(log),
        ci_low=np.exp(log - _Z95 * se),
        ci_high=np.exp(log + _Z95 * se),
        p=np.asarray(2.0 * ndtr(-np.abs(log / se))),
        q=q,
        q_p=np.asarray(chdtrc(k - 1, q)) if k > 1 else np.ones_like(q),
        i2=i2,
        tau2=tau2,
    )


def _common_error(terms: FloatArray, method: SumMethod) -> FloatArray:
    if method == "EE":
        return np.asarray(1.0 / np.sqrt(terms[W]))
    r, s = terms[R], terms[S]
    return np.asarray(
        np.sqrt(0.5 * (terms[V_RR] / r**2 + terms[V_RS] / (r * s) + terms[V_SS] / s**2))
    )


def _effects(tables: Tables, measure: RatioMeasure) -> tuple[FloatArray, FloatArray]:
    """Give the logarithms of the tables' own ratios, and their variances."""
    a, b, c, d = tables.a, tables.b, tables.c, tables.d
    if measure == "OR":
        return np.log(a * d / (b * c)), 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d
    n1, n2 = a + b, c + d
    return np.log(a * n2 / (c * n1)), b / (a * n1) + d / (c * n2)
