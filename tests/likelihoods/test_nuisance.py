from unittest import mock

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.inference.table_map import TableMap
from bayesmeta.likelihoods import nuisance
from bayesmeta.likelihoods.nuisance import integrate_peak


def test_no_integral_settles_because_its_change_passes_through_zero():
    """Ripples that 20 steps do not see, and 40 do: but for the phase at which they are odd.

    Smaller ripples, which 80 steps see, are then all that is wrong.
    """
    phase = np.pi * np.linspace(0, 1, 21)
    wave = 2 * np.pi / (8 * np.arcsinh(9 / 4) / 20)  # of the steps from -9 to 9

    def log_f(a, pair):
        x = 4 * np.arcsinh(a / 4)
        large = 1e-3 * np.cos(wave * x + phase[pair, None])
        return -0.5 * a**2 + np.log1p(large + 1e-6 * np.cos(2 * wave * x))

    got = integrate_peak(log_f, np.zeros(21), np.ones(21))
    a = np.linspace(-10, 10, 20_001)
    want = np.log(np.exp(log_f(a[None], np.arange(21))).sum(axis=1) * (a[1] - a[0]))
    assert_allclose(got, want, rtol=0, atol=1e-11)


def test_ranges_between_those_that_are_looked_for_reach_as_far_as_the_integrand():
    """Widths change tenfold between neighbours, and peaks by many widths."""
    width = np.tile([1.0, 0.1, 3.0, 0.5, 10.0, 0.05, 2.0], 7)
    peak = np.linspace(-40.0, 40.0, len(width)) ** 3 / 100

    def log_f(a, pair):
        return -0.5 * ((a - peak[pair, None]) / width[pair, None]) ** 2

    got = integrate_peak(log_f, peak, np.ones(len(width)), alike=len(width))
    assert_allclose(got, np.log(width * np.sqrt(2 * np.pi)), rtol=0, atol=1e-12)


def test_a_run_of_neighbours_that_settle_by_chance_is_told_by_those_beyond_it():
    """The plateau of a full against an empty arm, at risk ratios of e^80 and more.

    Without the neighbours beyond the run log g is off by 1.5e-8 there.
    """
    frame = pd.DataFrame({"study": ["A"], "ai": [65], "n1i": [65], "ci": [0], "n2i": [32]})
    likelihood = bm.BinomialLikelihood(bm.Normal(0, 10))
    model = bm.Model(
        measure="RR", likelihood=likelihood, effect=bm.Normal(0, 1), heterogeneity=bm.HalfNormal(1)
    )
    data = model.bind(bm.read_studies(frame)).data
    lines = TableMap.of(data)
    ends = lines.line(np.array([-10.75, 536.28]))
    theta = lines.point(np.linspace(ends[0], ends[1], 1095))[None]
    far = theta[0] > 80
    got = likelihood.log_g(data, theta)[0, far]
    with mock.patch.object(nuisance, "_FIRST", 1280):
        want = likelihood.log_g(data, theta[:, far])[0]
    assert_allclose(got, want, rtol=0, atol=1e-9)
