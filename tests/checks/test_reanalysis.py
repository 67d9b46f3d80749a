"""Outcomes of which only the published row is known."""

from numpy.testing import assert_allclose

import bayesmeta as bm
from bayesmeta.checks.reanalysis import reanalyse

MODEL = bm.Model(
    measure="OR",
    likelihood=bm.NormalLikelihood(),
    effect=bm.Normal(0, 2.82),
    heterogeneity=bm.HalfNormal(0.5),
)


def row(estimate, low, high, **more):
    read = bm.Printed.parse
    more = {key: read(value) if isinstance(value, str) else value for key, value in more.items()}
    return bm.PublishedRow(
        model="fixed", estimate=read(estimate), ci=(read(low), read(high)), **more
    )


def test_it_gives_the_posterior_of_the_row():
    published = row("2.41", "1.46", "3.99", k=7, q_p="0.93")
    found = reanalyse(MODEL, published).models[0].exact
    alone = bm.from_published(published, MODEL)
    assert_allclose(found.mu.quantile([0.025, 0.5]), alone.mu.quantile([0.025, 0.5]), rtol=1e-12)


def test_a_rule_tells_of_q_where_it_is_not_printed():
    published = row("2.41", "1.46", "3.99", k=7)
    told = reanalyse(MODEL, published, rule="random if Q p < 0.1 else fixed").models[0].exact
    implied = bm.from_published(published, MODEL, implied_q_p=bm.Printed.parse(">0.1"))
    assert_allclose(told.tau.mean, implied.tau.mean, rtol=1e-12)
    assert told.tau.mean < reanalyse(MODEL, published).models[0].exact.tau.mean


def test_a_row_that_cannot_be_read_keeps_its_place_and_fails_no_check():
    result = reanalyse(MODEL, row("-2.00", "-3.10", "-0.85", k=4))
    assert [one.road for one in result.rows] == ["published", "exact"]
    assert "(0, inf)" in result.rows[1].notes[0]
    assert (result.failed, result.verdicts) == (False, ())


def test_another_likelihood_of_the_model_does_not_matter():
    binomial = bm.Model(
        measure="OR",
        likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    published = row("2.41", "1.46", "3.99", k=7, q_p="0.93")
    means = [reanalyse(model, published).rows[1].estimate for model in (MODEL, binomial)]
    assert_allclose(means[0], means[1], rtol=0, atol=0)
