"""True errors of random problems against the reported ones, by the kept references."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.stats import norm

from bayesmeta.inference.gaussian import fit_gaussian
from bayesmeta.inference.grid import fit_grid
from benchmarks.honesty import examine
from benchmarks.random_problems import FAMILIES
from benchmarks.references import bind, read

FAST, SLOW = 2, 10


@pytest.mark.parametrize("name", FAMILIES)
def test_no_number_is_off_by_more_than_reported(name):
    assert examine(name, read(name)[:FAST]).silent == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_no_number_of_more_problems_is_off_by_more_than_reported(name):
    tally = examine(name, read(name)[:SLOW])
    assert tally.silent == {}
    assert len(tally.refused) <= 1


HOSTILE = {
    "a common effect 276 standard errors from a study": ("one-arm PLO", 59),
    "lines of mu shorter than tau is large": ("binomial OR", 90),
    "a probability within the narrow core of a wide posterior": ("t, one estimate", 188),
    "a likelihood that is flat up to a bound": ("binomial RD", 3),
    "a tail of rounding beyond a quantile": ("binomial OR", 115),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_no_number_of_a_hostile_problem_is_off_by_more_than_reported(what):
    name, seed = HOSTILE[what]
    (hostile,) = (reference for reference in read(name) if reference.seed == seed)
    tally = examine(name, [hostile])
    assert (tally.silent, tally.refused, tally.undecided) == ({}, {}, [])


def test_no_number_of_the_gaussian_engine_is_off_by_more_than_reported():
    assert examine("normal", read("normal")[:25], fit=fit_gaussian).silent == {}


def test_the_comparison_sees_an_evidence_that_is_off():
    def fit_wrongly(bound):
        posterior = fit_grid(bound)
        return replace(posterior, log_marginal_likelihood=posterior.log_marginal_likelihood + 3e-8)

    assert len(examine("normal", read("normal")[:FAST], fit=fit_wrongly).silent) == FAST


def log_likelihood(bound, tau):
    """Of normal estimates given tau, mu integrated out by its normal prior."""
    y, v, prior = bound.data.y, bound.data.se**2 + tau**2, bound.model.effect
    covariance = np.diag(v) + prior.sd**2
    away = y - prior.mean
    sign, log_det = np.linalg.slogdet(covariance)
    assert sign == 1
    quadratic = away @ np.linalg.solve(covariance, away)
    return -0.5 * (quadratic + log_det + len(y) * np.log(2 * np.pi))


def narrow_normal_problems():
    """Yield bound models, and their references, whose estimates are alike in precision."""
    for reference in read("normal")[:12]:
        bound = bind("normal", reference.seed)
        low, high = bound.model.heterogeneity.support
        if bound.model.effect.proper and low < high and np.ptp(np.log(bound.data.se)) < 7:
            yield bound, reference


def test_kept_evidences_agree_with_the_closed_form_given_tau():
    compared = 0
    for bound, reference in narrow_normal_problems():
        prior, top = bound.model.heterogeneity, reference.values["evidence"]
        end = min(np.log(prior.support[1]), 30.0)

        def f(u, bound=bound, prior=prior, top=top):
            tau = np.exp(u)
            return np.exp(prior.logpdf(np.array(tau)) + u + log_likelihood(bound, tau) - top)

        pieces = [*np.arange(-30.0, end, 1.0), end]
        total = sum(quad(f, a, b, epsabs=1e-14, epsrel=1e-11)[0]
                    for a, b in pairwise(pieces))  # fmt: skip
        assert_allclose(np.log(total), 0, atol=3e-10)
        compared += 1
    assert compared >= 3


def test_kept_medians_of_one_normal_estimate_agree_with_the_closed_form():
    compared = 0
    for reference in read("normal")[:60]:
        bound = bind("normal", reference.seed)
        prior, effect = bound.model.heterogeneity, bound.model.effect
        if not (len(bound.data.y) == 1 and effect.proper and prior.support == (0, 0)):
            continue
        y, v = float(bound.data.y[0]), float(bound.data.se[0] ** 2)
        share = effect.sd**2 / (effect.sd**2 + v)
        sd = np.sqrt(share * v)
        mean = share * y + (1 - share) * effect.mean
        found = [reference.values[f"mu {p}%"] for p in ("2.5", "50", "97.5")]
        assert_allclose((np.array(found) - mean) / sd, norm.ppf([0.025, 0.5, 0.975]), atol=1e-9)
        compared += 1
    assert compared >= 1
