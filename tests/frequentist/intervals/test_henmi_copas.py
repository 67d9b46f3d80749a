import numpy as np
import pytest
from frequentist.effect_sets import effect_sets
from frequentist.tables import contrasts, table
from hypothesis import given
from numpy.testing import assert_allclose
from scipy import stats
from scipy.integrate import quad

from bayesmeta.errors import DesignError, ModelError, NotEstimableError
from bayesmeta.frequentist import pool
from bayesmeta.frequentist.intervals import henmi_copas
from bayesmeta.frequentist.intervals.henmi_copas import fit_henmi_copas

PRINTED = 6e-5


def test_the_example_of_henmi_and_copas_comes_out(golden):
    data = golden("pooling_printed")["lee2004"]
    studies = table(data["rows"], data["columns"])
    want = data["henmi_copas"]
    row = pool(studies, "OR", methods="DL", interval="henmi-copas")["DL"]
    found = [row.estimate, row.ci_low, row.ci_high]
    assert_allclose(found, [want["estimate"], *want["ci"]], rtol=0, atol=PRINTED)
    plain = pool(studies, "OR", methods="DL")["DL"]
    found = [plain.tau2, plain.estimate, plain.ci_low, plain.ci_high]
    assert_allclose(found, [data["DL"]["tau2"], data["DL"]["estimate"], *data["DL"]["ci"]],
                    rtol=0, atol=PRINTED)  # fmt: skip
    assert row.tau2 == plain.tau2
    assert any("the estimate is that of a common effect" in note for note in row.notes)


def by_sums(y, v, x):
    """The integral of the paper, as loops over the studies and adaptive quadrature."""
    w = [1 / one for one in v]
    k, w1 = len(w), sum(w)
    w2, w3, w4 = (sum(one**n for one in w) / w1 for n in (2, 3, 4))
    mean = sum(a * b for a, b in zip(w, y, strict=True)) / w1
    q = sum(a * (b - mean) ** 2 for a, b in zip(w, y, strict=True))
    tau2 = max(0.0, (q - k + 1) / (w1 - w2))
    var_r = 1 + tau2 * w2

    def inside(r):
        e = k - 1 + tau2 * (w1 - w2) + tau2**2 * (r**2 / var_r**2 - 1 / var_r) * (w3 - w2**2)
        s = (
            2 * (k - 1) + 4 * tau2 * (w1 - w2) + 2 * tau2**2 * (w1 * w2 - 2 * w3 + w2**2)
            + 4 * tau2**2 * (r**2 / var_r**2 - 1 / var_r) * (w3 - w2**2)
            + 4 * tau2**3 * (r**2 / var_r**2 - 1 / var_r) * (w4 - 2 * w2 * w3 + w2**3)
            + 2 * tau2**4 * (1 / var_r**2 - 2 * r**2 / var_r**3) * (w3 - w2**2) ** 2
        )  # fmt: skip
        return stats.gamma(a=e**2 / s, scale=s / e)

    def integrand(r):
        f = (w1 / w2 - 1) * ((r / x) ** 2 - 1) + k - 1
        return inside(np.sqrt(var_r) * r).cdf(f) * stats.norm.pdf(r)

    return quad(integrand, x, x + 9, epsabs=1e-12, limit=200)[0]


@pytest.mark.parametrize("x", [0.1, 1.2, 2.5])
def test_the_tail_is_the_integral_of_the_paper(x):
    y, v = [0.1, 0.5, 1.8, 1.0, -0.3], [0.04, 0.02, 0.1, 0.5, 0.2]
    found = fit_henmi_copas(np.array(y), np.array(v))
    w = 1 / np.array(v)
    spread = 1 + found.tau2 * (w**2).sum() / w.sum()
    value = found.estimate - x * spread / np.sqrt(w.sum())
    assert_allclose(found.two_sided_p(value), 2 * by_sums(y, v, x), rtol=1e-8)


@given(effect_sets(min_rows=2))
def test_the_test_at_the_limits_has_the_level(effects):
    found = fit_henmi_copas(effects.y, effects.v)
    limits = found.interval(0.9)
    for limit in (limits.low, limits.high):
        assert_allclose(found.two_sided_p(float(limit)), 0.1, rtol=1e-7)


def test_one_study_and_an_error_rate_are_refused():
    with pytest.raises(DesignError):
        fit_henmi_copas(np.array([0.1]), np.array([0.1]))
    with pytest.raises(ModelError, match="not the error rate"):
        fit_henmi_copas(np.array([0.1, 0.2]), np.array([0.1, 0.1])).interval(0.05)


def test_it_belongs_to_dersimonian_and_laird():
    studies = contrasts([0.1, 0.5, 0.9], [0.04, 0.1, 0.2])
    with pytest.raises(ModelError, match=r"REML has no henmi-copas interval.*Choose one of .* DL"):
        pool(studies, "GEN", methods="REML", interval="henmi-copas")
    every = pool(studies, "GEN", interval="henmi-copas")
    assert (every["DL"].interval, every["REML"].interval) == ("henmi-copas", "wald")


@pytest.mark.parametrize("pi", ["metafor", "hts"])
def test_it_has_no_prediction_interval_but_nagashimas(pi):
    studies = contrasts([0.1, 0.5, 1.9], [0.04, 0.1, 0.2])
    row = pool(studies, "GEN", methods="DL", interval="henmi-copas", pi=pi)["DL"]
    assert np.isnan([row.pi_low, row.pi_high]).all()
    assert f"henmi-copas has no {pi} prediction interval; nagashima has one" in row.notes
    row = pool(studies, "GEN", methods="DL", interval="henmi-copas", pi="nagashima")["DL"]
    assert row.pi_low < row.estimate < row.pi_high


def test_a_search_stopped_early_says_so(monkeypatch):
    monkeypatch.setattr(henmi_copas, "_STEPS", 2)
    with pytest.raises(NotEstimableError, match="Henmi-Copas interval did not converge in 2 steps"):
        fit_henmi_copas(np.array([0.1, 0.5]), np.array([0.1, 0.1])).interval(0.95)
