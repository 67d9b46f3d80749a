"""How good the posterior of a published row is: held against that of its studies.

The bounds are those that docs/methods/published-rows.md states.
"""

import functools
import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_less
from published.rows import RATIOS, as_model, pool, printed_row
from scipy import stats

import bayesmeta as bm

GOLDEN = Path(__file__).parent.parent / "golden" / "effect_sets.json"
SETS = json.loads(GOLDEN.read_text(encoding="utf-8"))["sets"]


def compare(effects, model, *, sizes=False):
    """Q/(k - 1), shift of mu in SDs, and relative differences of its SD and of the median tau."""
    tau = bm.HalfNormal(effects["tau_scale"])
    names = [f"study {i}" for i in range(len(effects["yi"]))]
    frame = {"study": names, "estimate": effects["yi"], "se": np.sqrt(effects["vi"])}
    whole = as_model("GEN", effect=bm.Flat(), heterogeneity=tau)
    studies = bm.fit(whole, bm.read_studies(pd.DataFrame(frame)))
    row, ratio = printed_row(model, effects)
    alone = as_model(effects["measure"], effect=bm.Flat(), heterogeneity=tau)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.BayesmetaWarning)
        found = bm.from_published(row, alone, sizes=effects["ni"] if sizes else None)
    return (
        ratio,
        abs(float(found.mu.mean - studies.mu.mean)) / float(studies.mu.sd),
        abs(float(found.mu.sd / studies.mu.sd) - 1),
        abs(float(found.tau.quantile(0.5) / studies.tau.quantile(0.5)) - 1),
    )


@functools.cache
def compared(model, *, sizes=False):
    """Differences (set, 4): of all sets, or with the sizes where these are known."""
    kept = [s for s in SETS.values() if not sizes or "ni" in s]
    return np.array([compare(effects, model, sizes=sizes) for effects in kept])


@pytest.mark.slow
def test_a_random_row_loses_little_in_the_median():
    median = np.median(compared("random")[:, 1:], axis=0)
    assert_array_less(median, [0.06, 0.06, 0.09])


@pytest.mark.slow
def test_a_random_row_of_ratios_stays_close_at_the_worst():
    ratios = [s["measure"] in RATIOS for s in SETS.values()]
    worst = compared("random")[ratios, 1:].max(axis=0)
    assert_array_less(worst, [0.28, 0.35, 0.40])


@pytest.mark.slow
def test_a_fixed_row_with_q_below_k_minus_1_is_as_good():
    found = compared("fixed")
    median = np.median(found[found[:, 0] < 1, 1:], axis=0)
    assert_array_less(median, [0.07, 0.05, 0.03])


@pytest.mark.slow
def test_a_fixed_row_with_a_large_q_is_as_bad_as_the_flag_says():
    found = compared("fixed")
    assert np.median(found[found[:, 0] > 1.5, 1]) > 0.5


@pytest.mark.parametrize("name", ["hine1989 OR", "normand1999 ROM", "nielweise2008 IRR"])
def test_a_row_of_study_data_is_close_to_their_posterior(name):
    _, mean, sd, tau = compare(SETS[name], "random")
    assert_array_less([mean, sd, tau], [0.06, 0.06, 0.09])


@pytest.mark.slow
def test_two_decimals_of_ratios_cost_little():
    moved = []
    for effects in (s for s in SETS.values() if s["measure"] in RATIOS):
        row, _ = printed_row("random", effects)
        (m, se), _ = pool(np.array(effects["yi"]), np.array(effects["vi"]), "random")
        ends = np.exp(m + stats.norm.isf(0.025) * se * np.array([0, -1, 1]))
        estimate, *ci = (bm.Printed.parse(f"{end:.16f}") for end in ends)
        model = as_model(effects["measure"], effect=bm.Flat())
        short, long = (
            bm.from_published(r, model)
            for r in (row, replace(row, estimate=estimate, ci=tuple(ci)))
        )
        moved.append([
            abs(float(short.mu.mean - long.mu.mean)) / float(long.mu.sd),
            abs(float(short.mu.sd / long.mu.sd) - 1),
            abs(float(short.tau.mean / long.tau.mean) - 1),
        ])  # fmt: skip
    assert_array_less(np.median(moved, axis=0), [0.02, 0.01, 0.01])
    assert_array_less(np.max(moved, axis=0), [0.12, 0.05, 0.05])


@pytest.mark.slow
def test_sizes_bring_the_median_tau_closer():
    known = ["ni" in s for s in SETS.values()]
    plain, sized = compared("random")[known, 3], compared("random", sizes=True)[:, 3]
    assert np.median(sized) < np.median(plain)
