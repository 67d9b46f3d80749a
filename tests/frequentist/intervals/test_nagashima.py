import numpy as np
import pytest
from frequentist.tables import contrasts, table
from numpy.testing import assert_allclose
from scipy import special, stats
from scipy.optimize import brentq

from bayesmeta.errors import DesignError, NotEstimableError
from bayesmeta.frequentist import pool
from bayesmeta.frequentist.intervals import nagashima
from bayesmeta.frequentist.intervals.nagashima import nagashima_interval
from bayesmeta.frequentist.tau2.quadratic_form import mixture_cdf


def test_the_example_of_the_package_comes_out_within_its_simulation_error(golden):
    data = golden("pooling_printed")["cisapride"]
    studies = table(data["rows"], data["columns"])
    row = pool(studies, "OR", methods="DL", pi="nagashima", correction="all")["DL"]
    assert f"{np.exp(row.estimate):.3f}" == f"{data['odds_ratio']:.3f}"
    assert f"{row.tau2:.3f}" == f"{data['tau2']:.3f}"
    # 25 000 draws: the standard error of a 2.5% quantile is about 0.02 on the log scale here
    found = [row.pi_low, row.pi_high]
    assert_allclose(found, np.log(data["prediction_interval"]), rtol=0, atol=0.05)
    assert row.pi_method.startswith("Nagashima")


def draw(y, v, draws, rng):
    """The algorithm of the paper: tau2 by inverting the distribution of Q, then Z and T."""
    k, w = len(y), 1 / v
    P = np.diag(w) - np.outer(w, w) / w.sum()
    q = float(y @ P @ y)

    def above(t):
        root = np.sqrt(v + t)
        weights = np.linalg.eigvalsh(root[:, None] * P * root)[1:]
        return 1 - float(mixture_cdf(np.array(q), weights))

    # invert on a fine table of log tau2, which the draws interpolate
    log_t = np.linspace(-12, 25, 4000)
    p = np.array([above(np.exp(one)) for one in log_t])
    u = rng.uniform(size=draws)
    tau2 = np.where(u <= above(0.0), 0.0, np.exp(np.interp(u, p, log_t)))
    weight = 1 / (v + tau2[:, None])
    mean = (weight * y).sum(1) / weight.sum(1)
    error2 = (weight * (y - mean[:, None]) ** 2).sum(1) / (k - 1) / weight.sum(1)
    z, t = rng.normal(size=draws), rng.standard_t(k - 1, size=draws)
    return mean + z * np.sqrt(tau2) - t * np.sqrt(error2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_limits_are_those_of_a_seeded_bootstrap(seed):
    y = np.array([0.1, 0.5, 1.8, 0.9, -0.2, 0.4])
    v = np.array([0.04, 0.02, 0.1, 0.5, 0.08, 0.3])
    draws = draw(y, v, 400_000, np.random.default_rng(seed))
    found = nagashima_interval(y, v, np.ones((6, 1)), level=0.9)
    # the share of the draws below a limit is binomial
    share = [(draws < found.low).mean(), (draws < found.high).mean()]
    assert_allclose(share, [0.05, 0.95], rtol=0, atol=4 * np.sqrt(0.05 * 0.95 / 400_000))


def test_two_studies_of_equal_variance_against_a_plain_double_integral():
    # Q = (1 + tau2 / v) chi-squared(1); mean and error do not depend on tau2
    v, y = 0.3, np.array([0.0, 1.6])
    q = (y[1] - y[0]) ** 2 / (2 * v)
    se = abs(y[1] - y[0]) / 2

    def tail_at(x):
        p = (np.arange(2000) + 0.5) / 2000  # of tau2's distribution
        ratio = q / stats.chi2.isf(p, 1)
        tau = np.sqrt(np.maximum(0.0, ratio - 1) * v)
        angle = (np.arange(1000) + 0.5) / 1000 * np.pi - np.pi / 2
        t = np.tan(angle)  # Cauchy: t with one degree of freedom
        gap = (x - y.mean() + se * t)[None, :]
        sd = np.where(tau > 0, tau, 1.0)[:, None]
        below = np.where(tau[:, None] > 0, special.ndtr(gap / sd), gap > 0)
        return float(below.mean())

    high = brentq(lambda x: tail_at(x) - 0.9, y.mean(), 60, xtol=1e-6)
    found = nagashima_interval(y, np.full(2, v), np.ones((2, 1)), level=0.8)
    assert_allclose(found.high, high, rtol=5e-3)
    assert_allclose(found.high + found.low, 2 * y.mean(), rtol=1e-7)


def test_every_random_row_has_the_one_interval():
    studies = contrasts([0.1, 0.5, 1.8, 1.0], [0.04, 0.02, 0.1, 0.3])
    rows = pool(studies, "GEN", methods=["DL", "REML", "ML"], pi="nagashima")
    assert len({(row.pi_low, row.pi_high) for row in rows}) == 1


@pytest.mark.parametrize(("unit", "shift"), [(1e-3, 0.0), (1e4, -7.0), (1.0, 20.0)])
def test_it_moves_with_unit_and_origin_of_the_effects(unit, shift):
    y, X = np.array([0.1, 0.5, 1.8, 1.0]), np.ones((4, 1))
    S = np.diag([0.1, 0.2, 0.3, 0.05]) + 0.03
    plain = nagashima_interval(y, S, X)
    moved = nagashima_interval(unit * (y + shift), unit**2 * S, X)
    for name in ("low", "high"):
        want = unit * (getattr(plain, name) + shift)
        assert_allclose(getattr(moved, name), want, rtol=1e-6, atol=1e-6 * unit)


def test_identical_effects_leave_nothing_to_vary():
    found = nagashima_interval(np.full(4, 0.3), np.array([0.1, 0.2, 0.3, 0.4]), np.ones((4, 1)))
    assert_allclose([found.low, found.high], 0.3, rtol=1e-12)


def test_one_study_is_refused():
    with pytest.raises(DesignError):
        nagashima_interval(np.array([0.1]), np.array([0.1]), np.ones((1, 1)))


def test_limits_that_do_not_settle_are_not_shown(monkeypatch):
    monkeypatch.setattr(nagashima, "_ROUNDS", 2)
    monkeypatch.setattr(nagashima, "_TOL", 0.0)
    with pytest.raises(NotEstimableError, match="prediction interval did not settle"):
        nagashima_interval(np.array([0.1, 0.9, 2.0]), np.array([0.1, 0.2, 0.1]), np.ones((3, 1)))
    studies = contrasts([0.1, 0.9, 2.0], [0.1, 0.2, 0.1])
    row = pool(studies, "GEN", methods="DL", pi="nagashima")["DL"]
    assert np.isnan([row.pi_low, row.pi_high]).all()
    assert any("did not settle" in note for note in row.notes)
