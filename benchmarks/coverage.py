"""Coverage of 95% intervals of mu for few studies: exact posterior, DL, REML, Hartung-Knapp."""

import numpy as np

from bayesmeta.frequentist.intervals.simple import symmetric_interval
from bayesmeta.frequentist.inverse_variance import fit_inverse_variance, knapp_hartung_scale
from bayesmeta.frequentist.tau2.likelihood import tau2_reml
from bayesmeta.frequentist.tau2.moments import tau2_dl
from bayesmeta.inference.batch import fit_batch
from bayesmeta.priors import HalfNormal, Normal
from bayesmeta.scales import FloatArray

SIZES = (2, 3, 5, 10)
DATA_SETS = 4000
EFFECT, HETEROGENEITY = Normal(0, 2.82), HalfNormal(0.5)


def bench_coverage() -> None:
    """Print coverage and median width; truth from the priors, and at two fixed values of tau."""
    print(f"\nCoverage of 95% intervals of mu (median width), {DATA_SETS} data sets each")
    print(f"  {'tau':12} {'k':>3}  {'exact':>15} {'DL':>15} {'REML':>15} {'REML, HK':>15}")
    for label in ("half_normal", "0.1", "0.5"):
        for k in SIZES:
            cells = (f"{cover:.3f} ({width:.2f})" for cover, width in _coverage(label, k))
            print(f"  {label:12} {k:>3}  " + " ".join(f"{cell:>15}" for cell in cells))


def _coverage(label: str, k: int) -> list[tuple[float, float]]:
    rng = np.random.default_rng([k, len(label), int(label[-1] == "5")])
    mu = rng.normal(EFFECT.mean, EFFECT.sd, DATA_SETS)
    free = label == "half_normal"
    tau = np.abs(rng.normal(0, 0.5, DATA_SETS)) if free else np.full(DATA_SETS, float(label))
    v = np.exp(rng.uniform(np.log(0.02), np.log(0.5), (DATA_SETS, k)))
    y = mu[:, None] + np.sqrt(v + tau[:, None] ** 2) * rng.standard_normal(v.shape)
    exact = fit_batch(y, v, effect=EFFECT, heterogeneity=HETEROGENEITY).mu_quantiles
    intervals = [(exact[:, 0], exact[:, 2]), *_frequentist(y, v)]
    return [
        (float(((low <= mu) & (mu <= high)).mean()), float(np.median(high - low)))
        for low, high in intervals
    ]


def _frequentist(y: FloatArray, v: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Wald intervals of DL and REML, and REML's after Hartung and Knapp."""
    X = np.ones((*y.shape, 1))
    dl, reml = (fit_inverse_variance(y, v, X, tau2=tau2(y, v, X)) for tau2 in (tau2_dl, tau2_reml))
    out = []
    for fit, scale, df in ((dl, 1.0, None), (reml, 1.0, None), (reml, None, y.shape[1] - 1)):
        factor = knapp_hartung_scale(fit) if scale is None else scale
        se = np.sqrt(factor * fit.cov[:, 0, 0])
        interval = symmetric_interval(fit.beta[:, 0], se, level=0.95, df=df)
        out.append((interval.low, interval.high))
    return out
