import numpy as np
import pytest
from cases import HALF, WIDE, binomial_model, normal_model
from numpy.testing import assert_allclose
from tolerances import CLOSED

import bayesmeta as bm
from bayesmeta.checks.agreement import compare_posteriors
from bayesmeta.inference import reuse
from bayesmeta.inference.nuts import build_pymc_model
from bayesmeta.inference.reuse import compile_once, lift_constants

pytestmark = [pytest.mark.slow, pytest.mark.nuts]

BCG = bm.load("bcg")
ONE, OTHER = BCG.drop(BCG.studies[0]), BCG.drop(BCG.studies[1])
SINGLE = tuple(BCG.drop(*(set(BCG.studies) - {name})) for name in BCG.studies[:2])
MODELS = {"normal": normal_model(WIDE, HALF, "OR"), "binomial": binomial_model()}


def density_at(model, points):
    """Log density at the same values of all variables; compiled the quick way."""
    function = model.compile_fn(model.logp(), mode="FAST_COMPILE", point_fn=True)
    return [float(function(point)) for point in points]


@pytest.mark.parametrize("tables", [(ONE, OTHER), SINGLE], ids=["twelve studies", "one study"])
@pytest.mark.parametrize("likelihood", MODELS)
def test_exchanged_numbers_give_the_density_of_the_other_data(likelihood, tables):
    one, other = (build_pymc_model(MODELS[likelihood].bind(data)) for data in tables)
    lifted, _ = lift_constants(one, tables[0].k)
    _, numbers = lift_constants(other, tables[1].k)
    rng = np.random.default_rng(1)
    start = other.initial_point()
    points = [{k: v + rng.normal(0, 0.5, np.shape(v)) for k, v in start.items()} for _ in range(3)]
    before = density_at(lifted, points)
    held = {x for x in reuse._walk([lifted.logp()]) if x.name == "study_numbers"}
    held.pop().set_value(numbers)
    want = density_at(other, points)
    assert np.abs(np.subtract(before, want)).min() > 0.01
    assert_allclose(density_at(lifted, points), want, rtol=CLOSED)


def test_one_study_draws_with_a_model_compiled_for_another_as_with_its_own(monkeypatch):
    one, other = SINGLE
    model = MODELS["binomial"]

    def draw(data):
        return bm.fit(model, data, engine="nuts", rng=1, draws=50, tune=100).mu.draws

    monkeypatch.setattr(reuse, "_compiled", reuse.OrderedDict())
    own, first = draw(other), draw(one)
    assert len(reuse._compiled) == 1
    monkeypatch.setattr(reuse, "_compiled", reuse.OrderedDict())
    assert_allclose(draw(one), first, rtol=CLOSED)
    assert_allclose(draw(other), own, rtol=CLOSED)
    assert np.abs(own - first).max() > 0.01


def test_a_model_is_compiled_once_for_all_data_of_a_size_and_again_for_another_prior(monkeypatch):
    import nutpie

    compiled = []

    class Compiled:
        def with_data(self, **numbers):
            compiled[-1] |= numbers
            return self

    def compile_pymc_model(*_, **__):
        compiled.append({})
        return Compiled()

    monkeypatch.setattr(nutpie, "compile_pymc_model", compile_pymc_model)
    monkeypatch.setattr(reuse, "_compiled", reuse.OrderedDict())

    def compile_for(model, data):
        return compile_once(build_pymc_model(model.bind(data)), {})

    first = compile_for(MODELS["normal"], ONE)
    assert compile_for(MODELS["normal"], OTHER) is first
    wider = normal_model(WIDE, bm.HalfNormal(0.6), "OR")
    others = [(wider, ONE), (MODELS["normal"], BCG), (MODELS["binomial"], ONE)]
    assert first not in [compile_for(*other) for other in others]
    assert len(compiled) == 4


def test_fits_with_a_model_compiled_before_agree_with_the_exact_posterior():
    model = MODELS["binomial"]
    bm.fit(model, ONE, engine="nuts", rng=1, draws=100)
    kept = len(reuse._compiled)
    found = bm.fit(model, OTHER, engine="nuts", rng=1)
    assert len(reuse._compiled) == kept
    assert found.ok
    assert compare_posteriors(bm.fit(model, OTHER), found).ok


def test_pymc_samples_on_request():
    found = bm.fit(MODELS["normal"], ONE, engine="nuts", rng=1, sampler="pymc")
    assert found.ok
    assert found.accuracy.sampler == "pymc"
    assert compare_posteriors(bm.fit(MODELS["normal"], ONE), found).ok
