import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

import bayesmeta as bm
from bayesmeta.inference.blend import Blend, WithAtom
from bayesmeta.inference.crowded import CrowdedMap
from bayesmeta.inference.marginals import Empirical, Mixture, NormalMixture
from bayesmeta.inference.quadrature import SinhMap, SupportMap
from bayesmeta.inference.quantiles import shortest_interval, solve_quantile
from bayesmeta.inference.sinc import SincDensity

P = np.array([1e-6, 0.025, 0.3, 0.5, 0.975, 1 - 1e-6])


def sinc_of(frozen, coordinate, low, high, n=81):
    """Nodal masses of a known density."""
    v = np.linspace(low, high, n)
    x = coordinate.point(v)
    mass = frozen.pdf(x) * np.exp(coordinate.log_slope(v)) * (v[1] - v[0])
    return SincDensity(
        start=np.array([low]),
        step=np.array([v[1] - v[0]]),
        masses=mass[None],
        coordinate=coordinate,
    )


def test_one_normal_is_the_normal():
    one = NormalMixture(means=np.array([0.3]), sds=np.array([2.0]), weights=np.ones(1))
    normal = stats.norm(0.3, 2)
    assert_allclose(one.quantile(P), normal.ppf(P), rtol=1e-12)
    assert_allclose(one.sf(np.array([5.0, 20.0])), normal.sf([5, 20]), rtol=1e-12)
    assert_allclose(one.pdf(0.7), normal.pdf(0.7), rtol=1e-12)
    assert_allclose(one.interval(0.9, "hdi"), normal.interval(0.9), rtol=1e-6)


def test_a_mixture_of_normals():
    mixed = NormalMixture(
        means=np.array([0.0, 3.0]), sds=np.array([1.0, 0.2]), weights=np.array([0.4, 0.6])
    )
    assert_allclose(mixed.mean, 1.8)
    assert_allclose(mixed.sd**2, 0.4 * 1 + 0.6 * 0.04 + 0.24 * 9)
    assert_allclose(mixed.cdf(mixed.quantile(P)), P, rtol=1e-9)
    assert_allclose(mixed.cdf(2.0), 0.4 * stats.norm.cdf(2) + 0.6 * stats.norm.cdf(-5), rtol=1e-12)


def test_a_known_value_is_a_step():
    known = NormalMixture(means=np.array([0.5]), sds=np.zeros(1), weights=np.ones(1))
    assert_allclose(known.cdf(np.array([0.4, 0.5, 0.6])), [0, 1, 1])
    assert_allclose(known.quantile(np.array([0.1, 0.9])), 0.5)
    assert known.sd == 0


@pytest.mark.parametrize(
    ("frozen", "coordinate", "low", "high"),
    [
        (stats.gamma(2.5, scale=0.3), SupportMap(low=0, high=np.inf, unit=0.5), -3.6, 3.3),
        (stats.halfnorm(scale=0.5), SupportMap(low=0, high=np.inf, unit=0.2), -3.7, 3.2),
        (stats.beta(2, 3, scale=2), SupportMap(low=0, high=2, unit=1.0), -3.2, 3.2),
    ],
)
def test_a_sinc_density_is_exact_between_its_nodes(frozen, coordinate, low, high):
    density = sinc_of(frozen, coordinate, low, high, n=161)
    inner = P[1:-1]
    assert_allclose(density.quantile(inner), frozen.ppf(inner), rtol=1e-9)
    assert_allclose(density.cdf(frozen.ppf(inner)), inner, rtol=1e-10)
    assert_allclose(density.pdf(frozen.ppf(inner)), frozen.pdf(frozen.ppf(inner)), rtol=1e-8)
    assert_allclose([density.mean, density.sd], [frozen.mean(), frozen.std()], rtol=1e-10)
    assert_allclose(density.sf(frozen.ppf(0.9)), 0.1, rtol=1e-9)


def test_components_of_a_sinc_density_add_up():
    """Two shifted copies of one normal: the mixture has its closed form."""
    coordinate = SinhMap(center=np.zeros(2), scale=np.ones(2), bend=3.0)
    x = np.linspace(-5.5, 5.5, 61)
    at = 3 * np.sinh(x / 3)
    mass = stats.norm.pdf(at) * np.cosh(x / 3) * (x[1] - x[0])
    both = SincDensity(
        start=np.full(2, -5.5),
        step=np.full(2, x[1] - x[0]),
        masses=np.stack([0.3 * mass, 0.7 * mass]),
        coordinate=coordinate,
        shift=np.array([-1.0, 2.0]),
    )
    points = np.array([-2.0, 0.0, 2.5])
    want = 0.3 * stats.norm.cdf(points + 1) + 0.7 * stats.norm.cdf(points - 2)
    assert_allclose(both.cdf(points), want, rtol=1e-10)
    assert_allclose(both.cdf(both.quantile(P[1:-1])), P[1:-1], rtol=1e-9)
    assert_allclose(both.mean, 1.1, rtol=1e-10)


def test_a_batch_of_sinc_densities_is_each_of_them():
    center, scale = np.array([0.0, 5.0]), np.array([1.0, 0.1])
    x = np.linspace(-5.5, 5.5, 61)
    mass = stats.norm.pdf(3 * np.sinh(x / 3)) * np.cosh(x / 3) * (x[1] - x[0])
    both = SincDensity(
        start=np.full((2, 1), -5.5),
        step=np.full((2, 1), x[1] - x[0]),
        masses=np.stack([mass, mass])[:, None],
        coordinate=SinhMap(center=center[:, None], scale=scale[:, None], bend=3.0),
    )
    want = [stats.norm.ppf(P[1:-1], c, s) for c, s in zip(center, scale, strict=True)]
    assert_allclose(both.quantile(P[1:-1]), want, rtol=1e-9, atol=1e-9)
    assert_allclose(both.interval(), [[-1.95996398, 1.95996398], [4.8040036, 5.1959964]], rtol=1e-7)


def test_the_shortest_interval_of_a_skewed_density():
    frozen = stats.gamma(2.5, scale=0.3)
    density = sinc_of(frozen, SupportMap(low=0, high=np.inf, unit=0.5), -3.6, 2.9, n=161)
    low, high = density.interval(0.8, "hdi")
    assert_allclose(frozen.pdf(low), frozen.pdf(high), rtol=1e-5)
    assert_allclose(frozen.cdf(high) - frozen.cdf(low), 0.8, rtol=1e-9)


def test_the_shortest_interval_of_a_falling_density_begins_at_its_end():
    density = sinc_of(
        stats.halfnorm(scale=0.5), SupportMap(low=0, high=np.inf, unit=0.2), -3.7, 3.2, n=161
    )
    low, high = density.interval(0.95, "hdi")
    assert low < 1e-6
    assert_allclose(high, stats.halfnorm.ppf(0.95, scale=0.5), rtol=1e-4)


def test_the_shortest_interval_asks_for_few_quantiles():
    """Some cost 10 ms each: 17 intervals, and one for each secant."""

    class Counted:
        mean, sd, asked = np.asarray(0.9), np.asarray(0.9), 0

        def quantile(self, p):
            self.asked += np.size(p)
            return stats.gamma(1.5, scale=0.6).ppf(p)

        def pdf(self, x):
            return stats.gamma(1.5, scale=0.6).pdf(x)

    counted = Counted()
    low, high = shortest_interval(counted, 0.9)
    frozen = stats.gamma(1.5, scale=0.6)
    assert_allclose(frozen.pdf(low), frozen.pdf(high), rtol=1e-7)
    assert counted.asked <= 2 * (17 + 11)


def brute_shortest(marginal, level):
    p = np.linspace(0, 1 - level, 20001)[1:-1]
    ends = np.stack([marginal.quantile(p), marginal.quantile(p + level)])
    return ends[:, np.argmin(ends[1] - ends[0])]


SHARP = NormalMixture(
    means=np.array([0.0, 0.5]), sds=np.array([1.0, 0.01]), weights=np.array([0.7, 0.3])
)
TWO = NormalMixture(
    means=np.array([0.0, 4.0]), sds=np.array([1.0, 0.5]), weights=np.array([0.6, 0.4])
)
OFF_0 = NormalMixture(means=np.ones(1), sds=np.full(1, 0.5), weights=np.ones(1))


@pytest.mark.parametrize(
    "marginal",
    [SHARP, TWO, Blend(parts=[OFF_0, SHARP], weights=np.array([0.2, 0.8])),
     WithAtom(atom=0.0, share=0.1, rest=OFF_0), WithAtom(atom=0.2, share=0.02, rest=OFF_0)],
)  # fmt: skip
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_shortest_intervals_are_as_short_as_any_of_a_fine_grid(marginal, level):
    found, want = marginal.interval(level, "hdi"), brute_shortest(marginal, level)
    assert np.diff(found) <= np.diff(want) * (1 + 1e-6)


def test_equal_densities_about_an_atom_are_not_taken_for_the_shortest():
    """While the lower end stands at the atom the width only grows, whatever the densities."""
    rest = NormalMixture(means=np.array([1.2, 4.0]), sds=np.ones(2), weights=np.array([0.6, 0.4]))
    marginal = WithAtom(atom=0.0, share=0.1, rest=rest)
    below = 0.9 * rest.cdf(0.0)
    assert_allclose(marginal.interval(0.86, "hdi"), [0, marginal.quantile(below + 0.86)], atol=1e-6)


def test_shortest_intervals_of_many_parameters_are_those_of_each():
    means, sds = (
        np.array([[0.0, 1.0], [0.3, 0.1], [0.0, 0.0]]),
        np.array([[1, 0.3], [2, 0.5], [1, 2]]),
    )
    weights = np.array([0.4, 0.6])
    many = NormalMixture(means=means, sds=sds, weights=weights).interval(0.9, "hdi")
    for row, mean, sd in zip(many, means, sds, strict=True):
        one = NormalMixture(means=mean, sds=sd, weights=weights)
        assert_allclose(row, one.interval(0.9, "hdi"), rtol=1e-6)
        assert_allclose(one.pdf(row[0]), one.pdf(row[1]), rtol=1e-6)


def test_points_that_are_found_are_not_asked_for_again():
    asked = []

    def cdf_and_pdf(x):
        asked.append(len(x))
        return stats.norm.cdf(x), stats.norm.pdf(x)

    start = np.array([5.0, *stats.norm.ppf(P), -5.0, 0.0, 0.0])
    p = np.array([0.5, *P, 0.5, 0.0, 1.0])
    found = solve_quantile(cdf_and_pdf, p, np.array(-9.0), np.array(9.0), start=start)
    assert_allclose(found, stats.norm.ppf(p), rtol=1e-9, atol=1e-9)
    assert asked[0] == len(P) + 2
    assert max(asked[1:]) == 2


def test_a_mixture_of_parts():
    parts = (
        NormalMixture(means=np.array([0.0]), sds=np.array([1.0]), weights=np.array([0.4])),
        NormalMixture(means=np.array([3.0]), sds=np.array([0.2]), weights=np.array([0.6])),
    )
    mixed = Mixture(parts=parts, mean=np.asarray(1.8), sd=np.asarray(1.6))
    assert_allclose(mixed.cdf(mixed.quantile(P)), P, rtol=1e-9)
    assert_allclose(mixed.cdf(2.0) + mixed.sf(2.0), 1.0)


def test_a_sample():
    draws = stats.gamma(2.5).rvs(4000, random_state=1)
    sample = Empirical(draws=draws)
    assert_allclose(sample.mean, draws.mean())
    assert_allclose(sample.quantile([0.1, 0.9]), np.quantile(draws, [0.1, 0.9]))
    assert_allclose(sample.cdf(2.0), (draws <= 2).mean())
    low, high = sample.interval(0.9, "hdi")
    inside = (draws >= low) & (draws <= high)
    assert_allclose(inside.mean(), 0.9, atol=1e-3)
    assert high - low < np.diff(np.quantile(draws, [0.05, 0.95]))[0]
    assert_allclose(sample.pdf(np.array([1.5])), stats.gamma(2.5).pdf(1.5), rtol=0.1)
    several = Empirical(draws=np.stack([draws, draws + 1]))
    assert_allclose(several.quantile([0.1, 0.9])[1], np.quantile(draws, [0.1, 0.9]) + 1)


ONE = NormalMixture(means=np.zeros(1), sds=np.ones(1), weights=np.ones(1))
KINDS = {
    "normal": ONE,
    "sinc": sinc_of(stats.halfnorm(), SupportMap(low=0, high=np.inf, unit=0.4), -3.7, 3.2),
    "average": WithAtom(atom=0.0, share=0.2, rest=ONE),
    "sample": Empirical(draws=stats.norm().rvs(100, random_state=1)),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kind", ["eti", "hdi"])
@pytest.mark.parametrize("level", [95, 1.0, 0.0, -0.5, np.nan, "0.95"])
def test_an_interval_of_an_impossible_probability_is_refused(name, kind, level):
    with pytest.raises(bm.ModelError, match=r"Write 0.95 for a 95% interval"):
        KINDS[name].interval(level, kind)


@pytest.mark.parametrize("name", KINDS)
def test_an_unknown_kind_of_interval_is_refused(name):
    with pytest.raises(bm.ModelError, match="kind = 'hpd' is not known"):
        KINDS[name].interval(0.95, "hpd")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("p", [97.5, -0.1])
def test_a_quantile_of_what_is_no_probability_is_refused(name, p):
    with pytest.raises(ValueError, match=r"no probability|in the range \[0, 1\]"):
        KINDS[name].quantile([0.5, p])


@pytest.mark.parametrize("name", ["normal", "sinc"])
def test_no_number_has_no_probability(name):
    assert np.isnan(KINDS[name].cdf(np.nan))


def test_a_known_value_has_no_density_and_says_so_without_a_warning():
    known = NormalMixture(means=np.zeros(1), sds=np.zeros(1), weights=np.ones(1))
    assert np.isnan(known.pdf([0.0, 1.0])).all()


def of_effects(measure, effect, heterogeneity, data, likelihood=None, **form):
    model = bm.Model(
        measure=measure,
        likelihood=likelihood or bm.NormalLikelihood(),
        effect=effect,
        heterogeneity=heterogeneity,
        **form,
    )
    return bm.fit(model, bm.load(data))


WIDE, HALF = bm.Normal(0, 2.82), bm.HalfNormal(0.5)
BINOMIAL = bm.BinomialLikelihood(bm.Normal(0, 10))
LINE, ABOVE_0 = (-np.inf, np.inf), (0, np.inf)
SUPPORTS = {
    "normal": (("OR", WIDE, HALF, "bcg"), {"mu": LINE, "theta_new": LINE, "tau": ABOVE_0}),
    "bounded tau": (("OR", WIDE, bm.Uniform(0.1, 0.3), "bcg"), {"mu": LINE, "tau": (0.1, 0.3)}),
    "common effect": (("OR", WIDE, bm.Fixed(0), "bcg"), {"mu": LINE, "tau": (0, 0)}),
    "grid": (
        ("OR", WIDE, HALF, "bcg", BINOMIAL),
        {"mu": LINE, "theta_new": LINE, "theta": LINE, "tau": ABOVE_0},
    ),
    "risk difference": (
        ("RD", bm.Normal(0, 1), HALF, "bcg", BINOMIAL),
        {"mu": (-1, 1), "theta_new": (-1, 1), "theta": (-1, 1), "tau": ABOVE_0},
    ),
    "bounded effect": (
        ("OR", bm.Uniform(-2, 0.5), bm.Uniform(0, 2), "bcg", BINOMIAL),
        {"mu": (-2, 0.5), "theta_new": LINE, "tau": (0, 2)},
    ),
    "known effect": (
        ("OR", bm.Fixed(-0.5), bm.Uniform(0, 2), "bcg", BINOMIAL),
        {"mu": (-0.5, -0.5), "theta_new": LINE, "theta": LINE, "tau": (0, 2)},
    ),
}


@pytest.mark.parametrize("name", SUPPORTS)
def test_quantiles_at_0_and_1_are_the_ends_of_the_support(name):
    args, supports = SUPPORTS[name]
    post = of_effects(*args)
    for parameter, ends in supports.items():
        marginal = getattr(post, parameter)
        found = marginal.quantile([0, 0.5, 1])
        assert_array_equal(found[..., [0, 2]], np.broadcast_to(ends, (*found.shape[:-1], 2)))
        assert_array_equal(marginal.quantile(0.0), found[..., 0])
        assert_allclose(found[..., 1], marginal.quantile(0.5), rtol=1e-9)


def test_t_effects_reach_the_ends_of_the_line():
    post = of_effects("OR", WIDE, HALF, "bcg", random_effects=bm.StudentRandomEffects(4))
    assert_array_equal(post.theta_new.quantile([0, 1]), LINE)
    assert_array_equal(post.theta.quantile([0, 1]), [LINE] * len(post.bound.studies))
    assert_array_equal(post.tau.quantile([0, 1]), ABOVE_0)


RISK = bm.Uniform(0.1, 0.3)


@pytest.mark.parametrize(
    ("measure", "baseline", "risk", "difference"),
    [
        ("OR", 0.2, (0, 1), (-0.2, 0.8)),
        ("OR", RISK, (0, 1), (-0.3, 0.9)),
        ("RR", 0.2, (0, np.inf), (-0.2, np.inf)),
        ("RR", RISK, (0, np.inf), (-0.3, np.inf)),
    ],
)
def test_ends_of_absolute_risks_are_those_of_the_risks(measure, baseline, risk, difference):
    found = of_effects(measure, WIDE, HALF, "bcg").absolute_risk(baseline)
    assert_allclose(found.risk.quantile([0, 1]), risk, rtol=1e-12)
    assert_allclose(found.difference.quantile([0, 1]), difference, rtol=1e-12)


def test_i2_ends_at_0_and_100_percent():
    assert_array_equal(of_effects("OR", WIDE, HALF, "bcg").i2().quantile([0, 1]), [0, 100])


def test_ends_of_an_average_are_the_outermost_and_steps_over_the_atom_stay():
    tau = of_effects("OR", WIDE, HALF, "bcg").tau
    assert_array_equal(WithAtom(atom=0.0, share=0.4, rest=tau).quantile([0, 1]), ABOVE_0)
    assert_array_equal(Blend(parts=[ONE, tau], weights=np.full(2, 0.5)).quantile([0, 1]), LINE)
    some = Blend(parts=[tau, tau], weights=np.full(2, 0.5))
    assert_allclose(some.quantile(P), tau.quantile(P), rtol=1e-9)
    assert_array_equal(some.quantile([0, 1]), ABOVE_0)


def test_the_shortest_interval_of_tau_begins_at_0_where_its_density_is_highest():
    """One study says next to nothing of tau, whose prior is highest at 0."""
    model = bm.Model(
        measure="OR", likelihood=bm.NormalLikelihood(), effect=WIDE, heterogeneity=HALF
    )
    bcg = bm.load("bcg")
    post = bm.fit(model, bcg.drop(*bcg.studies[1:]))
    low, high = post.tau.interval(0.9, "hdi")
    assert low == 0
    assert_allclose(post.tau.cdf(high), 0.9, rtol=1e-9)


def test_draws_end_at_the_smallest_and_the_largest():
    draws = stats.norm().rvs(100, random_state=1)
    assert_array_equal(Empirical(draws=draws).quantile([0, 1]), [draws.min(), draws.max()])


def test_crowded_lines_end_where_their_base_does():
    base = SupportMap(low=-1, high=0.7, unit=1.0)
    crowded = CrowdedMap(base=base, near=np.array([1e-3]), weight=np.array([0.5]))
    inner = np.array([-1.0, 0.3])
    found = crowded.point(np.array([-np.inf, *inner, np.inf]))
    assert_array_equal(found[[0, -1]], [-1, 0.7])
    assert_allclose(crowded.line(found[1:-1]), inner, rtol=1e-9)
    assert_array_equal(crowded.point(np.array([-np.inf, np.inf])), [-1, 0.7])
