"""Sums near the bounds of a risk difference, against scipy.integrate.quad."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.inference.integrate import StudyIntegral
from bayesmeta.model import BoundModel
from bayesmeta.studies import read_studies
from tests.tolerances import EXACT

pd = pytest.importorskip("pandas")


def _bind(rows: list[tuple[int, int, int, int]], **priors: bm.Prior) -> BoundModel:
    columns = dict(zip(("ai", "n1i", "ci", "n2i"), zip(*rows, strict=True), strict=True))
    table = pd.DataFrame({"study": [f"study {i}" for i in range(len(rows))], **columns})
    model = bm.Model(
        measure="RD", likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)), **priors
    )
    return model.bind(read_studies(table))


@pytest.mark.parametrize("away", [0.3, 1.6, 4.0, 7.0])
def test_a_bound_that_cuts_a_narrow_normal_is_the_end_of_the_integral(away: float) -> None:
    bound = _bind(
        [(0, 2, 1, 1)], effect=bm.Uniform(-1, 1), heterogeneity=bm.HalfNormal(0.05)
    )  # flat up to a risk difference of -1
    tau = 1e-3
    mu = -1 + away * tau

    def integrand(log_room: float) -> float:
        room = np.exp(log_room)
        log_g = bound.model.likelihood.log_g(bound.data, np.array([[-1 + room]]))[0, 0]
        return float(np.exp(log_g - 0.5 * (room / tau - away) ** 2 + log_room))

    want = np.log(
        quad(integrand, np.log(1e-16), np.log((away + 9) * tau), epsabs=0, epsrel=1e-12,
             limit=400)[0] / (tau * np.sqrt(2 * np.pi))
    )  # fmt: skip
    integral = StudyIntegral.build(bound, np.array([-0.9, 0.9]), np.array([0.2, 0.2]))
    got = integral.log_likelihood(np.array([mu]), np.array([tau]))[0, 0]
    assert_allclose(got, want, rtol=0, atol=EXACT)
