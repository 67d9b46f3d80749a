"""A user's own log likelihoods: functions and tables."""

import warnings

import numpy as np
import pandas as pd
import pytest
from cases import counts
from likelihoods.brute import TAU, rectangle, reported
from numpy.testing import assert_allclose, assert_array_equal
from tolerances import EXACT

import bayesmeta as bm
from bayesmeta.errors import AccuracyError, ModelError, NotExactError, SamplingError
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.likelihoods.own import _in_pymc

Y, SE, LABELS = np.array([0.3, -0.1, 0.9]), np.array([0.5, 0.6, 0.55]), ["A", "B", "C"]
SMALL, WIDE = bm.HalfNormal(0.5), bm.Normal(0, 2)
NODES = np.linspace(-6, 6, 49)


def normal_log_g(i):
    return lambda t: -0.5 * ((t - Y[i]) / SE[i]) ** 2 - np.log(SE[i] * np.sqrt(2 * np.pi))


def kinked(i):
    return lambda t: -0.5 * ((t - Y[i]) / SE[i]) ** 2 - 1.5 * np.abs(t)


def functions(log_g):
    return {label: log_g(i) for i, label in enumerate(LABELS)}


def tables(log_g, nodes=NODES):
    return {label: (nodes, f(nodes)) for label, f in functions(log_g).items()}


def model(own, tau=SMALL, effect=WIDE, measure="GEN"):
    return bm.Model(measure=measure, likelihood=own, effect=effect, heterogeneity=tau)


def fitted(own, **options):
    return bm.fit(model(own, **options), own.to_studies())


def estimates():
    return bm.read_studies(pd.DataFrame({"study": LABELS, "estimate": Y, "se": SE}))


@pytest.mark.parametrize("given", [functions, tables])
def test_the_normal_likelihood_as_a_function_and_as_a_table(given):
    want = bm.fit(model(bm.NormalLikelihood()), estimates())
    got = bm.fit(model(bm.OwnLikelihood(given(normal_log_g))), estimates())
    assert_allclose(list(reported(got).values()), list(reported(want).values()), rtol=EXACT)
    assert_allclose(got.theta.interval(), want.theta.interval(), atol=1e-7)
    assert_allclose(got.theta_new.interval(), want.theta_new.interval(), atol=1e-7)


@pytest.mark.slow
def test_the_binomial_likelihood_as_a_function():
    """Zero events, and a table with a node at each quarter, from the exact g."""
    table, binomial = (
        counts((0, 20, 3, 22), (4, 31, 9, 30)),
        bm.BinomialLikelihood(bm.Normal(0, 10)),
    )
    data = binomial.prepare(table, bm.MEASURES["OR"], "none")
    ones = {label: data.take([i]) for i, label in enumerate(data.studies)}
    own = bm.OwnLikelihood(
        {label: lambda t, one=one: binomial.log_g(one, t[None])[0] for label, one in ones.items()}
    )
    want, got = (bm.fit(model(x, measure="OR"), table) for x in (binomial, own))
    assert_allclose(list(reported(got).values()), list(reported(want).values()), rtol=1e-7)
    prepared = own.prepare(table, bm.MEASURES["OR"], "none")
    assert_array_equal(own.vanishes(prepared), binomial.vanishes(data))
    assert_array_equal(own.tail_orders(prepared), [0, np.inf])


@pytest.mark.slow
@pytest.mark.parametrize("given", [functions, tables])
def test_a_kink_against_a_plain_rectangle(given):
    """The rectangle's error is proportional to its step squared; two steps take it away."""
    post = fitted(bm.OwnLikelihood(given(kinked), breaks=[0]), tau=TAU)
    sums = []
    for step in (0.004, 0.008):
        theta = step * np.arange(-16 / step, 16 / step + 1)
        g = np.array([f(theta) for f in functions(kinked).values()])
        of_step = rectangle(g, theta, bm.Normal(0, 2), points=121, mu=(-8, 8))
        sums.append(np.array(list(of_step.values())))
    assert_allclose(list(reported(post).values()), (4 * sums[0] - sums[1]) / 3, rtol=EXACT)


@pytest.mark.slow
def test_a_kink_under_random_effects_that_may_be_small():
    """Against the kinked density of theta itself: the effects integrate to 1 within 1e-7."""
    post = fitted(bm.OwnLikelihood(functions(kinked), breaks=[0]))
    assert post.accuracy.error < 1e-8
    for x in (0.0, 0.25):
        left, right = (post.theta.pdf(x + side * 1e-3)[0] for side in (-1, 1))
        slope_left = (left - post.theta.pdf(x - 2e-3)[0]) / 1e-3
        slope_right = (post.theta.pdf(x + 2e-3)[0] - right) / 1e-3
        jump = (slope_right - slope_left) / left
        assert_allclose(jump, -3.0 if x == 0 else 0.0, atol=0.15)


def test_a_kink_at_common_effect_against_a_plain_sum():
    post = fitted(bm.OwnLikelihood(functions(kinked), breaks=[0]), tau=bm.Fixed(0))
    theta = np.linspace(-9, 9, 1_800_001)
    log = sum(f(theta) for f in functions(kinked).values()) + bm.Normal(0, 2).logpdf(theta)
    density = np.exp(log) * (theta[1] - theta[0])
    assert_allclose(post.log_marginal_likelihood, np.log(density.sum()), rtol=1e-9)
    assert_allclose(post.mu.mean, density @ theta / density.sum(), rtol=1e-8)


def test_a_kink_that_is_not_listed_is_refused():
    with pytest.raises(AccuracyError, match="the likelihood has a kink"):
        fitted(bm.OwnLikelihood(functions(kinked)))
    with pytest.raises(ModelError, match=r"table of A leaves log g uncertain.*breaks=\(0.0,\)"):
        bm.OwnLikelihood(tables(kinked)).to_studies()


def test_two_break_points_are_refused_by_the_exact_engine():
    with pytest.raises(NotExactError, match="may bend at 0, 1; the exact engine takes one"):
        fitted(bm.OwnLikelihood(functions(kinked), breaks=[1, 0]))


def test_a_short_table_is_refused_with_how_far_it_must_reach():
    """34 log units below its peak a normal curve is sqrt(68) = 8.25 standard errors away."""
    short = np.linspace(-1, 1, 31)
    with pytest.raises(
        AccuracyError, match=r"that of A ends at -1, and about theta = -3\.82 would"
    ):
        fitted(bm.OwnLikelihood(tables(normal_log_g, short)))
    assert round(0.3 - 68**0.5 * 0.5, 2) == -3.82


def test_a_table_that_stays_flat_is_refused_with_what_to_do():
    def flat_below(i):
        return lambda t: -np.logaddexp(0, 3 * (t - Y[i]))

    with pytest.raises(
        AccuracyError, match=r"ends at -6\. Give longer tables.*stays flat the table"
    ):
        fitted(bm.OwnLikelihood(tables(flat_below, np.linspace(-6, 14, 81))))


def test_all_problems_of_tables_are_told_at_once():
    nodes = np.linspace(-1, 1, 9)
    bad = {
        "few": (nodes[:5], nodes[:5]),
        "nan": (nodes, np.where(nodes == 0, np.nan, -(nodes**2))),
        "unsorted": (nodes[::-1], -(nodes**2)),
        "twice": (np.sort(np.append(nodes, 0.5)), np.zeros(10)),
        "shape": (nodes, nodes[1:]),
        "text": "abc",
    }
    with pytest.raises(ModelError) as caught:
        bm.OwnLikelihood(bad)
    for told in (
        "few: 5 nodes, at least 8 are needed",
        "nan: log g of node 5 is nan",
        "unsorted: theta = 0.75 follows 1; nodes must increase",
        "twice: theta = 0.5 stands twice",
        r"shape: theta and log g have shapes (9,) and (8,)",
        "text: neither a function nor a pair",
    ):
        assert told in str(caught.value)
    with pytest.raises(ModelError, match=r"the break point 0\.1 is no node.*fewer than 8 nodes on"):
        bm.OwnLikelihood({"A": (nodes, -(nodes**2))}, breaks=[0.1])


@pytest.mark.parametrize(
    ("log_g", "told"),
    [
        (lambda _: 0.0, r"gives shape \(\) for theta of shape"),
        (lambda t: 1 / 0 * t, "failed at theta from .* ZeroDivisionError"),
        (lambda t: np.full(t.shape, np.nan), "is nan wherever it was looked for"),
        (lambda t: np.full(t.shape, -np.inf), "is -inf wherever it was looked for"),
        (lambda t: t**2, r"still rises at theta = -1e\+06.*Is its sign right"),
        (lambda t: -t, r"still rises at theta = -1e\+06"),
        (lambda t: -(t**2) + 1j, "is complex"),
        (lambda t: np.zeros(t.shape), "says next to nothing about theta"),
        (lambda t: np.where(t > 0.2, np.nan, -(t**2)), "A is nan at theta = .*work in logarithms"),
    ],
)
def test_functions_that_cannot_be_used(log_g, told):
    with pytest.raises(ModelError, match=told):
        fitted(bm.OwnLikelihood({"A": log_g}))


def test_a_study_without_a_likelihood_is_refused():
    own = bm.OwnLikelihood({"A": normal_log_g(0)})
    with pytest.raises(
        ModelError, match="No log likelihood is given for B, C; there are those of A"
    ):
        bm.fit(model(own), estimates())
    with pytest.raises(ModelError, match="No log likelihood is given"):
        bm.OwnLikelihood({})


def test_log_likelihoods_are_given_by_study_and_breaks_as_a_sequence():
    for wrong in ([normal_log_g(0)], normal_log_g(0)):
        with pytest.raises(ModelError, match="must be given by study"):
            bm.OwnLikelihood(wrong)
    with pytest.raises(ModelError, match=r"breaks = 0\.0 must be a sequence, such as \(0\.0,\)"):
        bm.OwnLikelihood({"A": normal_log_g(0)}, breaks=0.0)


def long_tables(log_g):
    return tables(log_g, np.linspace(-12, 12, 97))


@pytest.mark.parametrize("given", [functions, long_tables])
def test_own_likelihoods_have_bayes_factors_between_priors_of_the_same_curves(given):
    def factor(curves):
        null, wide = (fitted(bm.OwnLikelihood(c), effect=e) for c, e in zip(
            curves, (bm.Fixed(0), WIDE), strict=True))  # fmt: skip
        return bm.bayes_factor(null, wide).log

    normal = [bm.fit(model(bm.NormalLikelihood(), effect=e), estimates())
              for e in (bm.Fixed(0), WIDE)]  # fmt: skip
    same = given(normal_log_g)
    assert_allclose(factor([same, same]), bm.bayes_factor(*normal).log, rtol=EXACT)
    with pytest.raises(ModelError, match="models of different data"):
        factor([same, given(lambda i: lambda t: -0.5 * (t - Y[i]) ** 2)])


def test_a_long_table_is_read():
    frame = pd.concat(
        pd.DataFrame({"study": label, "theta": theta, "log_g": log_g})
        for label, (theta, log_g) in tables(normal_log_g).items()
    )
    read = bm.OwnLikelihood.from_frame(frame).to_studies()
    assert_allclose(read.contrast().variance, SE**2, rtol=0.02)
    frame = pd.concat([frame, pd.DataFrame({"study": [None], "theta": [0], "log_g": [0]}, [99])])
    with pytest.raises(ModelError, match=r"No study is named in row 99\. Fill it in"):
        bm.OwnLikelihood.from_frame(frame)
    with pytest.raises(ModelError, match="lacks log_g"):
        bm.OwnLikelihood.from_frame(frame.drop(columns="log_g"))


def test_the_notes_state_the_error_of_interpolation():
    nodes = np.linspace(-6, 6, 61)

    def heavy(i):
        return lambda t: -2.5 * np.log1p(((t - Y[i]) / SE[i]) ** 2 / 4)

    own = bm.OwnLikelihood(tables(heavy, nodes))
    data = own.prepare(own.to_studies(), bm.MEASURES["GEN"], "none")
    stated = max(curve.error for curve in data.curves)
    between = (nodes[1:] + nodes[:-1]) / 2
    got = own.log_g(data, np.tile(between, (3, 1)))
    want = np.array([f(between) for f in functions(heavy).values()])
    true = np.abs((got - want) / (1 - want)).max()
    assert true < stated < 1000 * true
    assert f"error is about {stated:.0e}" in data.notes[0]


def test_a_power_tail_is_found():
    def cauchy(i):
        return lambda t: -np.log1p(((t - Y[i]) / SE[i]) ** 2)

    own = bm.OwnLikelihood({"A": cauchy(0)})
    data = own.prepare(own.to_studies(), bm.MEASURES["GEN"], "none")
    assert_allclose(own.tail_orders(data), [2.0], rtol=1e-4)
    bound = model(own, tau=bm.Fixed(0), effect=bm.Flat()).bind(own.to_studies())
    assert_allclose(find_tail_order(bound).of_mu, 2.0, rtol=1e-4)  # no mean


@pytest.mark.slow
def test_pytensor_evaluates_the_same_spline_and_its_slope():
    import pytensor
    import pytensor.tensor as pt

    own = bm.OwnLikelihood(tables(kinked) | {"A": kinked(0)}, breaks=[0])
    data = own.prepare(own.to_studies(), bm.MEASURES["GEN"], "none")
    theta = pt.vector("theta", shape=(3,))
    value = _in_pymc(data, theta)
    evaluate = pytensor.function([theta], [value, pytensor.grad(value.sum(), theta)])
    for at in np.array([[0.4, 0.4, 0.4], [-2.0, 0.01, 5.9], [1.0, -0.3, 2.2]]):
        got, slope = evaluate(at)
        assert_allclose(got, own.log_g(data, at[:, None])[:, 0], rtol=1e-6)
        assert_allclose(slope, -(at - Y) / SE**2 - 1.5 * np.sign(at), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.nuts
def test_nuts_agrees_on_functions_and_the_certificate_says_what_is_shared():
    own = bm.OwnLikelihood(tables(kinked) | {"A": kinked(0)}, breaks=[0])
    certificate = bm.certify(model(own), own.to_studies(), rng=5, draws=5000)
    assert certificate.ok, certificate.failures
    assert "not an independent check of these likelihoods" in certificate.sentence


@pytest.mark.slow
@pytest.mark.nuts
def test_nuts_refuses_draws_from_beyond_a_table():
    short = bm.OwnLikelihood(tables(normal_log_g, np.linspace(-1, 1, 31)))
    with pytest.raises(SamplingError, match="from beyond the tables of log g of A"):
        bm.fit(model(short), short.to_studies(), engine="nuts", rng=2, draws=500)


def test_no_warning_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(bm.OwnLikelihood({"A": lambda t: 3 * t - 9 * np.logaddexp(0, t)}))
