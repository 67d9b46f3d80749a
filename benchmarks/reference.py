"""The whole frequentist table of one comparison, and REML fits by the thousand against a loop."""

import numpy as np
from scipy.optimize import minimize_scalar

from bayesmeta.frequentist import pool
from bayesmeta.frequentist.tau2.likelihood import fit_reml
from bayesmeta.scales import FloatArray
from bayesmeta.studies import load
from benchmarks.harness import compare, show

FITS, STUDIES, LOOPED = 10_000, 10, 200
LOOP = f"scipy.optimize.minimize_scalar, {LOOPED} of them"


def bench_reference() -> None:
    """Print the time of every method that fits the BCG trials, and with the dearer intervals."""
    bcg = load("bcg")
    baseline = "all methods, Wald"
    timings = compare(
        {
            baseline: lambda: pool(bcg, "OR"),
            "all methods, Knapp-Hartung": lambda: pool(bcg, "OR", interval="hksj"),
            "DL alone": lambda: pool(bcg, "OR", methods="DL"),
            "with the generalised-Q interval": lambda: pool(
                bcg, "OR", tau2_interval="generalised-q"
            ),
            "DL, Henmi-Copas": lambda: pool(bcg, "OR", methods="DL", interval="henmi-copas"),
            "ML, profile likelihood": lambda: pool(bcg, "OR", methods="ML", interval="profile"),
            "DL, Nagashima": lambda: pool(bcg, "OR", methods="DL", pi="nagashima"),
        },
        baseline=baseline,
        rounds=11,
    )
    show("BCG, the frequentist table", timings, baseline=baseline)


def bench_reml() -> None:
    """Print 10 000 REML fits of 10 studies at once, and 200 of them by a plain loop."""
    rng = np.random.default_rng(1)
    v = 10 ** rng.uniform(-2, 0.5, size=(FITS, STUDIES))
    y = rng.normal(size=v.shape) * np.sqrt(v + 0.3)
    one = np.ones((STUDIES, 1))
    timings = compare(
        {
            LOOP: lambda: [_by_scipy(y[i], v[i]) for i in range(LOOPED)],
            f"fit_reml, {FITS} at once": lambda: fit_reml(y, v, one),
            f"fit_reml, {LOOPED} of them in a loop": lambda: [
                fit_reml(y[i], v[i], one) for i in range(LOOPED)
            ],
        },
        baseline=LOOP,
        rounds=5,
    )
    show(f"REML of {STUDIES} studies", timings, baseline=LOOP)
    whole = timings[f"fit_reml, {FITS} at once"]
    per_fit = whole.ratio * LOOPED / FITS
    print(f"  per fit, at once: {per_fit:.2g} times {LOOP.split(',')[0]}")


def _by_scipy(y: FloatArray, v: FloatArray) -> float:
    """Maximise the restricted likelihood over tau2 by a bounded search, as one writes it first."""

    def minus(tau2: float) -> float:
        w = 1.0 / (v + tau2)
        mean = (w * y).sum() / w.sum()
        return float(0.5 * (-np.log(w).sum() + np.log(w.sum()) + (w * (y - mean) ** 2).sum()))

    bounds = (0.0, 10.0 * float(y.var()))
    return float(
        minimize_scalar(minus, bounds=bounds, method="bounded", options={"xatol": 1e-10}).x
    )
