"""Tests for funnel asymmetry, one short function each: effects and tables in, a test out."""

from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import NotEstimableError
from bayesmeta.frequentist.bias.rank_correlation import kendall
from bayesmeta.frequentist.counts.tables import BoolArray, Tables
from bayesmeta.frequentist.intervals.simple import two_sided_p
from bayesmeta.frequentist.least_squares import weighted_fit
from bayesmeta.frequentist.tau2.likelihood import tau2_reml
from bayesmeta.frequentist.tau2.moments import tau2_dl
from bayesmeta.scales import FloatArray

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Funnel:
    """What a test for asymmetry looks at.

    Attributes
    ----------
    study : tuple of str
        Labels.
    y, v : (study,)
        Effects on the analysis scale and their sampling variances.
    tables : Tables or None
        Counts of the two arms, where the data are such.
    """

    study: tuple[str, ...]
    y: FloatArray
    v: FloatArray
    tables: Tables | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asymmetry:
    """The result of one test, as `SmallStudyTest` describes it."""

    statistic: float
    distribution: str
    df: int | None
    p: float
    k: int
    estimate: float = _NAN
    se: float = _NAN
    intercept: float = _NAN
    notes: tuple[str, ...] = ()


def egger(funnel: Funnel) -> Asymmetry:
    """Regress the effects on their standard errors, with weights 1/v and a free dispersion.

    The same as Egger's regression of y / se on 1 / se: its intercept is the slope here.

    References
    ----------
    Egger, Davey Smith, Schneider and Minder (1997), BMJ 315:629; in this form, Sterne and Egger
    (2005), in Rothstein, Sutton and Borenstein (eds), chapter 6.

    Examples
    --------
    >>> funnel = Funnel(study=tuple("ABCD"), y=np.array([0.1, 0.2, 0.5, 0.6]),
    ...                 v=np.array([0.01, 0.04, 0.09, 0.16]))
    >>> round(egger(funnel).estimate, 4)
    1.6923
    """
    return _dispersed(funnel.y, np.sqrt(funnel.v), funnel.v)


def egger_mixed(funnel: Funnel) -> Asymmetry:
    """Regress the effects on their standard errors, with an additive tau2 by REML and a normal z.

    References
    ----------
    Thompson and Sharp (1999), Statistics in Medicine 18:2693; Viechtbauer (2010), Journal of
    Statistical Software 36(3), section 4.3.
    """
    y, v = funnel.y, funnel.v
    X = _line(np.sqrt(v))
    tau2 = float(tau2_reml(y, v, X))
    return _additive(y, v, X, tau2, df=None)


def thompson_sharp(funnel: Funnel) -> Asymmetry:
    """Regress the effects on their standard errors, with an additive tau2 by moments.

    Thompson and Sharp compare with the normal distribution; with t(k - 2) here, as in R's meta.

    References
    ----------
    Thompson and Sharp (1999), Statistics in Medicine 18:2693, method 3a.
    """
    y, v = funnel.y, funnel.v
    X = _line(np.sqrt(v))
    tau2 = float(tau2_dl(y, v, X))
    return _additive(y, v, X, tau2, df=len(y) - 2)


def begg(funnel: Funnel) -> Asymmetry:
    """Correlate the ranks of the standardised effects and of the variances.

    References
    ----------
    Begg and Mazumdar (1994), Biometrics 50:1088.
    """
    w = 1.0 / funnel.v
    others = w.sum() - w
    centre = (w * funnel.y).sum() / w.sum()
    # var(y - centre) = v - 1 / sum(w), in a form that does not cancel
    standardised = (funnel.y - centre) / np.sqrt(funnel.v * others / w.sum())
    found = kendall(standardised, funnel.v)
    if np.isnan(found.tau):
        raise NotEstimableError(
            "all variances or all effects are equal: there are no ranks to correlate"
        )
    return Asymmetry(
        statistic=found.tau,
        distribution="exact" if found.exact else "normal",
        df=None,
        p=found.p,
        k=len(w),
    )


def harbord(funnel: Funnel) -> Asymmetry:
    """Regress the score statistics Z / V on 1 / sqrt(V), with weights V and a free dispersion.

    Z is observed minus expected events of the treated, V its hypergeometric variance: with no
    effect they do not hang together, as a log odds ratio and its standard error do.

    References
    ----------
    Harbord, Egger and Sterne (2006), Statistics in Medicine 25:3443.
    """
    tables, _, kept, notes = _informative(funnel)
    n1, n2 = tables.a + tables.b, tables.c + tables.d
    events, N = tables.a + tables.c, n1 + n2
    Z = tables.a - events * n1 / N
    V = n1 * n2 * events * (N - events) / (N**2 * (N - 1.0))
    _require_studies(kept)
    return _dispersed(Z / V, 1.0 / np.sqrt(V), 1.0 / V, notes=notes)


def peters(funnel: Funnel) -> Asymmetry:
    """Regress the effects on 1/n, with weights events x non-events / n and a free dispersion.

    References
    ----------
    Peters, Sutton, Jones, Abrams and Rushton (2006), JAMA 295:676.
    """
    tables, y, kept, notes = _informative(funnel)
    _require_studies(kept)
    n, v = _size(tables)
    return _dispersed(y, 1.0 / n, v, notes=notes)


def macaskill(funnel: Funnel) -> Asymmetry:
    """Regress the effects on n, with weights events x non-events / n and a free dispersion.

    References
    ----------
    Macaskill, Walter and Irwig (2001), Statistics in Medicine 20:641, with pooled variances.
    """
    tables, y, kept, notes = _informative(funnel)
    _require_studies(kept)
    n, v = _size(tables)
    return replace(_dispersed(y, n, v, notes=notes), intercept=_NAN)  # n = 0: no study


def _line(x: FloatArray) -> FloatArray:
    if np.all(x == x[0]):
        raise NotEstimableError("all studies are of one size: there is no slope to estimate")
    return np.stack([np.ones_like(x), x], axis=-1)


def _dispersed(
    y: FloatArray, x: FloatArray, v: FloatArray, *, notes: tuple[str, ...] = ()
) -> Asymmetry:
    """Fit a line by weighted least squares, its error from the spread about it; t test."""
    fit, df = weighted_fit(y, v, _line(x)), len(y) - 2
    slope, se = float(fit.beta[1]), float(np.sqrt(fit.cov[1, 1] * fit.q / df))
    if not se > 0:
        raise NotEstimableError("the studies lie on a line: there is no spread to test against")
    return Asymmetry(
        statistic=slope / se,
        distribution="t",
        df=df,
        p=float(two_sided_p(slope, se, df=df)),
        k=len(y),
        estimate=slope,
        se=se,
        intercept=float(fit.beta[0]),
        notes=notes,
    )


def _additive(
    y: FloatArray, v: FloatArray, X: FloatArray, tau2: float, *, df: int | None
) -> Asymmetry:
    """Fit a line with weights 1 / (v + tau2), its error as they say."""
    fit = weighted_fit(y, v + tau2, X)
    slope, se = float(fit.beta[1]), float(np.sqrt(fit.cov[1, 1]))
    return Asymmetry(
        statistic=slope / se,
        distribution="normal" if df is None else "t",
        df=df,
        p=float(two_sided_p(slope, se, df=df)),
        k=len(y),
        estimate=slope,
        se=se,
        intercept=float(fit.beta[0]),
    )


def _informative(funnel: Funnel) -> tuple[Tables, FloatArray, BoolArray, tuple[str, ...]]:
    """Keep the tables with both events and non-events, and name the others."""
    if funnel.tables is None:
        raise NotEstimableError("needs the counts of both arms")
    zero = funnel.tables.double_zero
    left_out = ", ".join(funnel.study[i] for i in np.flatnonzero(zero))
    notes = (f"double-zero studies left out: {left_out}",) if left_out else ()
    return funnel.tables.take(~zero), funnel.y[~zero], ~zero, notes


def _size(tables: Tables) -> tuple[FloatArray, FloatArray]:
    """Give n and the variance n / (events x non-events) of the logit of the average risk."""
    events, others = tables.a + tables.c, tables.b + tables.d
    return events + others, 1.0 / events + 1.0 / others


def _require_studies(kept: BoolArray) -> None:
    if kept.sum() < 3:
        raise NotEstimableError(
            f"{kept.sum()} studies have both events and non-events; a slope needs three"
        )
