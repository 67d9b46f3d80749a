"""Results of 1, 2, 13 and 200 studies, and what each plot draws of them."""

from functools import cache

import numpy as np
import pandas as pd

import bayesmeta as bm

NORMAL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)
DOMAINS = ("randomisation", "deviations", "missing data", "measurement", "selection")


@cache
def trials(k):
    """BCG for 13, else simulated studies with long and non-Latin names."""
    if k == 13:
        return bm.load("bcg")
    rng = np.random.default_rng(1)
    n = rng.integers(20, 2000, (2, k))
    control = rng.uniform(0.05, 0.4, k)
    names = ("Ελληνική μελέτη", "Исследование", "A trial of $5 with a very long name and more")
    return bm.read_studies(
        pd.DataFrame(
            {
                "study": [f"{names[i % 3]} {i}" for i in range(k)],
                "ai": rng.binomial(n[0], 0.8 * control),
                "n1i": n[0],
                "ci": rng.binomial(n[1], control),
                "n2i": n[1],
            }
        )
    )


@cache
def posterior(k):
    return bm.fit(NORMAL, trials(k))


@cache
def effects(k):
    return bm.compute_effects(trials(k), "OR")


def judged(k):
    rng = np.random.default_rng(2)
    draws = rng.choice(["low", "some", "high", "unclear"], (len(DOMAINS), k))
    columns = dict(zip(DOMAINS, draws, strict=True))
    return bm.read_risk_of_bias(pd.DataFrame({"study": trials(k).studies, **columns}))


def visits(k):
    """A response table and a life table with min(k, 4) groups."""
    groups = [f"group {i}" for i in range(min(k, 4)) for _ in range(2)]
    m = len(groups) // 2
    seen = pd.DataFrame(
        {"group": groups, "time": [3, 6] * m, "events": [5, 7] * m, "n": [20, 18] * m}
    )
    risk = pd.DataFrame(
        {"group": groups, "start": [0, 3] * m, "end": [3, 6] * m, "at_risk": [24, 5] * m,
         "events": [15, 4] * m}
    )  # fmt: skip
    return bm.read_responses(seen), bm.read_life_table(risk)


PLOTS = {
    "absolute_risk": lambda k: {"post": posterior(k)},
    "baujat": lambda k: {"result": bm.baujat(trials(k), "OR")},
    "forest": lambda k: {"result": bm.crosscheck(NORMAL, trials(k), nuts=False)},
    "funnel": lambda k: {"effects": effects(k)},
    "galbraith": lambda k: {"effects": effects(k)},
    "joint": lambda k: {"post": posterior(k)},
    "kaplan_meier": lambda k: {"table": visits(k)[1]},
    "labbe": lambda k: {"studies": trials(k), "measure": "OR"},
    "normal_qq": lambda k: {"effects": effects(k)},
    "number_needed": lambda k: {"post": posterior(k), "better": "lower"},
    "prior_posterior": lambda k: {
        "post": posterior(k), "parameter": "theta", "study": trials(k).studies[0]
    },
    "probability_curve": lambda k: {"post": posterior(k)},
    "refits": lambda k: {"result": bm.cumulative(trials(k), "OR")},
    "response_over_time": lambda k: {"table": visits(k)[0]},
    "risk_of_bias": lambda k: {"table": judged(k)},
    "risk_of_bias_summary": lambda k: {"table": judged(k)},
    "shrinkage": lambda k: {"post": posterior(k)},
}  # fmt: skip
NEEDS_TWO = {"baujat", "funnel", "galbraith", "normal_qq"}
