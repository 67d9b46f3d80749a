"""What a prompt shows of posteriors: their numbers, in a few lines."""

import pytest

import bayesmeta as bm

BASELINE = bm.Normal(0, 10)
LIKELIHOODS = (bm.NormalLikelihood(), bm.BinomialLikelihood(BASELINE))


@pytest.mark.parametrize("likelihood", LIKELIHOODS, ids=str)
def test_a_posterior_is_shown_by_its_numbers(likelihood):
    model = bm.Model(
        measure="OR",
        likelihood=likelihood,
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    post = bm.fit(model, bm.load("bcg"))
    head, *rows = repr(post).splitlines()
    assert head == f"<Posterior: {post.engine}, log OR, 13 studies, ok"
    for row, (name, numbers) in zip(rows, post.parameter_table().iterrows(), strict=True):
        assert row.startswith(f" {name}: mean {numbers['mean']:.4g}, sd {numbers['sd']:.4g}, ")
        assert row.rstrip(">").endswith(f"{numbers['low']:.4g} to {numbers['high']:.4g}")
    assert repr(post.theta).endswith(": 13 studies>")
    assert len(repr(post.absolute_risk(0.1))) < 300
