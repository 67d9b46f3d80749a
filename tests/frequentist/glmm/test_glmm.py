from functools import partial

import numpy as np
import pandas as pd
import pytest
from frequentist.glmm.brute_force import (
    GROUPS,
    RATES,
    TABLES,
    adaptive,
    cm_al,
    cm_el,
    gradient,
    maximise,
    one_group,
    um_fs,
    um_fs_adaptive,
    um_fs_rates,
    um_rs,
)
from numpy.testing import assert_allclose
from scipy import stats
from tolerances import ITERATIVE

from bayesmeta.frequentist import pool
from bayesmeta.frequentist.glmm.fit import fit_glmm
from bayesmeta.frequentist.glmm.likelihood import marginal, nodes_for
from bayesmeta.frequentist.glmm.models import (
    Counts,
    conditional,
    conditional_approximate,
    counts_of,
    fixed_intercepts,
    random_intercepts,
)
from bayesmeta.frequentist.glmm.models import one_group as one_group_model
from bayesmeta.studies import load, read_studies

pytestmark = pytest.mark.slow

BRUTE = {
    "UM.FS, OR": (fixed_intercepts, TABLES, um_fs, [-0.5, 0.5, -1, -1, -1]),
    "UM.FS, IRR": (fixed_intercepts, RATES, um_fs_rates, [-0.5, 0.5, 1, 1, 1]),
    "UM.RS, OR": (random_intercepts, TABLES, um_rs, [-0.5, 0.5, -1, 0.5]),
    "CM.EL, OR": (conditional, TABLES, cm_el, [-0.5, 0.5]),
    "CM.EL, IRR": (conditional, RATES, cm_al, [-0.5, 0.5]),
    "CM.AL, OR": (conditional_approximate, TABLES, cm_al, [-0.5, 0.5]),
    "PLO": (one_group_model, GROUPS, one_group, [-2, 0.5]),
}


def counts_from(rows, *, time=False):
    rows = np.asarray(rows, dtype=float)
    study = tuple(f"study {i + 1}" for i in range(len(rows)))
    return Counts(study=study, events=rows[:, ::2], size=rows[:, 1::2], time=time)


def told_apart(name):
    """The counts of a bundled table, without the studies that metafor leaves out too."""
    counts = counts_of(load(name), "OR")
    return counts.take(~counts.nothing_to_compare)


def at(model, mu, tau):
    """The log likelihood at (mu, tau), highest over the study intercepts."""
    fixed = [mu, tau]
    own = model.own_start
    for _ in range(50):
        nodes = nodes_for(model, np.array(fixed), own, step=0.5)
        found = marginal(model, np.array(fixed), own, nodes)
        own = own - found.gradient[:, 0] / found.hessian[:, 0, 0]
    return found.value.sum(), own


@pytest.mark.parametrize(
    "case",
    [pytest.param(name, marks=pytest.mark.slow if "RS" in name else ()) for name in BRUTE],
)
def test_every_model_has_the_maximum_of_its_definition(case):
    build, rows, log_likelihood, start = BRUTE[case]
    found, height, se = maximise(log_likelihood, rows, np.array(start, dtype=float))
    fit = fit_glmm(build(counts_from(rows, time=case.endswith("IRR"))), name=case)
    assert found[1] ** 2 > 0.05  # not on the boundary
    assert_allclose(fit.log_likelihood, height, rtol=1e-9)
    assert_allclose(fit.estimate, found[0], rtol=ITERATIVE, atol=1e-8)
    assert_allclose(fit.tau2, found[1] ** 2, rtol=ITERATIVE)
    assert_allclose(fit.se, se, rtol=ITERATIVE)
    shared = [found[0], abs(found[1]), *found[2:3], *np.abs(found[3:])]
    assert_allclose(fit.shared, shared[: len(fit.shared)], rtol=ITERATIVE)


@pytest.mark.parametrize("name", ["hine1989", "yusuf1985_table6"])
def test_fixed_study_effects_agree_with_metafor_where_tau2_is_zero(name, golden):
    want = golden("glmm")["UM.FS"][name]
    row = pool(load(name), "OR", methods="UM.FS")["UM.FS"]
    assert (row.tau2, want["tau2"]) == (0.0, 0)
    found = [row.estimate, row.se, row.ci_low, row.ci_high]
    assert_allclose(found, [want[key] for key in ("beta", "se", "ci_lb", "ci_ub")], rtol=ITERATIVE)
    fit = fit_glmm(fixed_intercepts(told_apart(name)), name="UM.FS")
    assert_allclose(fit.log_likelihood, want["logLik"], rtol=1e-10)


@pytest.mark.parametrize(("name", "short"), [("bcg", 2.71e-9), ("nielweise2007", 1.324e-6)])
def test_where_metafor_differs_its_search_stopped_short_of_the_maximum(name, short, golden):
    """The golden tau2 and effect have a lower likelihood; the error there is metafor's error."""
    want = golden("glmm")["UM.FS"][name]
    model = fixed_intercepts(told_apart(name))
    fit = fit_glmm(model, name="UM.FS")
    mu, tau = want["beta"], np.sqrt(want["tau2"])
    height, own = at(model, mu, tau)
    assert_allclose(fit.log_likelihood - height, short, rtol=0.01)
    assert abs(fit.estimate - mu) < 0.002 * fit.se
    assert_allclose(fit.tau2, want["tau2"], rtol=1e-3)
    for beside in ((fit.estimate + 1e-3, fit.tau2**0.5), (fit.estimate, fit.tau2**0.5 + 1e-3)):
        assert at(model, *beside)[0] < fit.log_likelihood
    shared = np.array([mu, tau])
    hessian = marginal(model, shared, own, nodes_for(model, shared, own, step=0.5)).hessian
    d, b = hessian[:, 0, 0], hessian[:, 0, 1:]
    information = -(hessian[:, 1:, 1:] - b[:, :, None] * b[:, None, :] / d[:, None, None]).sum(0)
    assert_allclose(np.linalg.inv(information)[0, 0] ** 0.5, want["se"], rtol=2e-5)


@pytest.mark.parametrize("name", ["bcg", "nielweise2007"])
def test_the_seven_nodes_of_metafor_are_not_where_it_differs(name):
    """Seven adaptive nodes (nAGQ = 7) give the maximum to 1e-7; metafor is 1e-5 or more away."""
    counts = told_apart(name)
    fit = fit_glmm(fixed_intercepts(counts), name="UM.FS")
    data = np.stack(
        [counts.events[:, 0], counts.size[:, 0], counts.events[:, 1], counts.size[:, 1]]
    )
    _, own = at(fixed_intercepts(counts), fit.estimate, fit.tau2**0.5)
    found = np.array([fit.estimate, fit.tau2**0.5, *own])
    slope = gradient(partial(um_fs_adaptive, 7, data), found)
    assert_allclose(slope * fit.se, 0.0, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["bcg", "nielweise2007"])
def test_the_log_likelihood_of_metafor_is_conditional_on_predicted_effects(name, golden):
    want = golden("glmm")["UM.FS"][name]
    model = fixed_intercepts(told_apart(name))
    _, own = at(model, want["beta"], np.sqrt(want["tau2"]))
    shared = np.array([want["beta"], np.sqrt(want["tau2"])])
    grid = np.linspace(-6, 6, 24001)
    eta = own[:, None, None] + (
        model.loading[:, :1] * shared[0] + model.loading[:, 1:] * shared[1] * grid
    )
    given = model.outcome.at(eta).value.sum(1)
    mode = (given - grid**2 / 2).argmax(1)
    conditional_on_mode = given[np.arange(len(mode)), mode].sum()
    assert_allclose(conditional_on_mode, want["logLik"], rtol=1e-4)
    assert conditional_on_mode > fit_glmm(model, name="UM.FS").log_likelihood + 5


def test_the_bcg_row_is_what_metafor_prints(golden):
    want = golden("glmm")["printed"]["bcg"]["UM.FS"]
    row = pool(load("bcg"), "OR", methods="UM.FS")["UM.FS"]
    found = [row.estimate, row.se, row.tau2, row.ci_low, row.ci_high, row.q]
    keys = ["beta", "se", "tau2", "ci_lb", "ci_ub", "LRT"]
    assert_allclose(found, [want[key] for key in keys], rtol=0, atol=6e-5)
    assert_allclose([row.i2, row.h2], [want["I2"], want["H2"]], rtol=0, atol=0.006)
    assert (row.q_df, row.k) == (12, 13)
    assert_allclose(row.q_p, stats.chi2.sf(row.q, 12), rtol=1e-9)


@pytest.mark.parametrize("method", ["CM.EL", "CM.AL"])
def test_conditional_odds_ratios_are_those_of_stijnen_hamza_and_ozdemir(method, golden):
    want = golden("glmm")["printed"]["nielweise2007"][method]
    row = pool(load("nielweise2007"), "OR", methods=method)[method]
    found = [row.estimate, row.se, row.tau2**0.5]
    assert_allclose(found, [want[key] for key in ("beta", "se", "tau")], rtol=0, atol=1e-4)
    natural = np.exp([row.estimate, row.ci_low, row.ci_high])
    keys = ("OR", "OR_ci_lb", "OR_ci_ub")
    assert_allclose(natural, [want[key] for key in keys], rtol=0, atol=6e-5)
    assert row.k == 17


def test_conditional_rate_ratios_are_those_of_stijnen_hamza_and_ozdemir(golden):
    want = golden("glmm")["printed"]["nielweise2008"]["CM.EL"]
    row = pool(load("nielweise2008"), "IRR", methods="CM.EL")["CM.EL"]
    found = [row.estimate, row.se, row.tau2**0.5, *np.exp([row.estimate, row.ci_low, row.ci_high])]
    keys = ("beta", "se", "tau", "IRR", "IRR_ci_lb", "IRR_ci_ub")
    assert_allclose(found, [want[key] for key in keys], rtol=0, atol=6e-5)


@pytest.mark.parametrize("arm", ["controls", "treated"])
def test_one_group_is_that_of_metafor_but_for_its_seven_nodes(arm, golden):
    """Seven adaptive nodes give metafor's digits; here, as with 51 nodes, the exact maximum."""
    want = golden("glmm")["printed"]["nielweise2007"][f"PLO, {arm}"]
    data = golden("metafor_pool")["nielweise2007"]
    events, others = ("ci", "di") if arm == "controls" else ("ai", "bi")
    x, n = np.array(data[events]), np.add(data[events], data[others])
    keys = ("beta", "se", "tau2")
    found, _, se = maximise(partial(adaptive, 7), (x, n), np.array([-4.0, 0.9]))
    got = [found[0], se, found[1] ** 2]
    assert_allclose(got, [want[key] for key in keys], rtol=0, atol=6e-5)
    table = pd.DataFrame({"study": data["study"], "xi": x, "ni": n})
    row = pool(read_studies(table), "PLO", methods="GLMM")["GLMM"]
    found, _, se = maximise(partial(adaptive, 51), (x, n), np.array([-4.0, 0.9]))
    got = [row.estimate, row.se, row.tau2]
    assert_allclose(got, [found[0], se, found[1] ** 2], rtol=1e-8)
    assert row.k == 18


def test_common_effects_are_those_of_metafor(golden):
    want = golden("glmm")["printed"]["nielweise2007"]
    counts = told_apart("nielweise2007")
    fixed = fit_glmm(fixed_intercepts(counts), name="UM.FS", heterogeneous=False)
    exact = fit_glmm(conditional(counts), name="CM.EL", heterogeneous=False)
    assert_allclose(fixed.estimate, want["UM.FS, common effect"]["beta"], rtol=0, atol=6e-5)
    keys = ("beta", "variance")
    found = [exact.estimate, exact.se**2]
    assert_allclose(found, [want["CM.EL, common effect"][key] for key in keys], rtol=0, atol=6e-5)


@pytest.mark.slow
def test_random_study_effects_are_metafors_but_for_its_laplace_approximation(golden):
    """By one node at the mode this model gives metafor's numbers; exactly integrated, others."""
    want = golden("glmm")["printed"]["nielweise2007"]["UM.RS, Laplace"]
    model = random_intercepts(told_apart("nielweise2007"))

    def laplace(p):
        z = np.zeros((len(model.offset), 2))
        scale = np.array([[p[1] / 2, p[3]], [-p[1] / 2, p[3]]])
        base = p[2] + np.array([p[0], 0.0])
        for _ in range(30):
            curve = model.outcome.at((base + z @ scale.T)[..., None])
            slope = curve.slope[..., 0] @ scale - z
            H = np.eye(2) - np.einsum("sa,ae,af->sef", curve.bend[..., 0], scale, scale)
            z = z + np.linalg.solve(H, slope[..., None])[..., 0]
        height = model.outcome.at((base + z @ scale.T)[..., None]).value[..., 0].sum(1)
        return (height - (z**2).sum(1) / 2 - np.linalg.slogdet(H)[1] / 2).sum()

    found, _, _ = maximise(lambda _, p: laplace(p), None, np.array([-1.2, 0.8, -3.4, 0.7]))
    keys = ("beta", "tau2", "sigma2")
    got = [found[0], found[1] ** 2, found[3] ** 2]
    assert_allclose(got, [want[key] for key in keys], rtol=0, atol=2e-4)
    fit = fit_glmm(model, name="UM.RS")
    got = [fit.estimate, fit.tau2, fit.shared[3] ** 2]
    assert_allclose(got, [want[key] for key in keys], rtol=0.03)
