from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st
from priors.examples import EXAMPLES, PRIOR_TEXTS

from bayesmeta import priors
from bayesmeta.errors import ModelError
from bayesmeta.priors import PRIORS, HalfNormal, Normal, Truncated, parse_prior
from bayesmeta.priors.protocol import Positive, spec_name

POSITIVE = st.floats(1e-6, 1e6)
NUMBERS = {Positive: POSITIVE, float: st.floats(-1e300, 1e300)}
SIMPLE = [name for name in PRIORS if name not in ("uniform", "truncated", "on_tau2")]


def simple_priors(names=SIMPLE):
    def arguments(name):
        return st.builds(PRIORS[name], *(NUMBERS[field.type] for field in fields(PRIORS[name])))

    return st.one_of([arguments(name) for name in names])


def bounded_priors():
    pairs = st.tuples(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
    uniform = pairs.map(lambda pair: PRIORS["uniform"](pair[0], sum(pair)))
    cut = st.tuples(POSITIVE, POSITIVE, st.sampled_from([float("inf"), 2.5]))
    return uniform | cut.map(lambda c: Truncated(Normal(0, c[0]), -c[1], c[2]))


def priors_on_tau2():
    return simple_priors(["half_normal", "log_normal", "inverse_gamma", "flat"]).map(priors.OnTau2)


@given(simple_priors() | bounded_priors() | priors_on_tau2())
def test_a_prior_survives_its_text(prior):
    assert parse_prior(str(prior)) == prior


@pytest.mark.parametrize("text", PRIOR_TEXTS)
def test_the_text_of_a_prior_is_what_was_read(text):
    assert str(parse_prior(text)) == text


@pytest.mark.parametrize("name", PRIORS)
def test_a_registered_prior_has_its_class_name_in_snake_case_and_an_example(name):
    assert spec_name(PRIORS[name]) == name
    assert PRIORS[name].__name__ in priors.__all__
    assert all(type(parse_prior(text)) is PRIORS[name] for text in EXAMPLES[name])


@pytest.mark.parametrize(
    "text", ["normal(mean=1, sd=2)", "normal(sd=2, mean=1)", " normal(+1,2.0)\n", "normal(1, 0x2)"]
)
def test_a_prior_can_be_written_in_other_ways(text):
    assert parse_prior(text) == Normal(1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not written as a prior. Write it as in half_normal"),
        ("normal(0, 1", "is not written as a prior"),
        ("normal(0 1)", "is not written as a prior"),
        ("(" * 1000, "is not written as a prior"),
        ("-" * 100_000 + "1", "is not written as a prior"),
        ("0.5", r"is a number, not a prior. For a known value write fixed\(0.5\)"),
        (0.5, r"0.5: is a number, not a prior. For a known value write fixed\(0.5\)"),
        ("half_norml(1)", "'half_norml': is not the name of a prior. Did you mean half_normal?"),
        ("HalfNormal(1)", "Did you mean half_normal?"),
        ("lognormal(0, 1)", "Did you mean log_normal?"),
        ("gamma(1, 1)", "Known priors: normal, student_t, cauchy, .*on_tau2"),
        ("__import__('os')", "'__import__': is not the name of a prior"),
        ("normal", r"'normal': does not have the arguments of normal. Write normal\(mean, sd\)"),
        ("normal(0)", r"Write normal\(mean, sd\)"),
        ("student_t(3, 1)", r"Write student_t\(df, location, scale\)"),
        ("normal(0, 1, 2)", r"Write normal\(mean, sd\)"),
        ("flat(1)", "does not have the arguments of flat. Write flat$"),
        ("half_normal(sigma=1)", r"'half_normal\(sigma=1\)'.* Write half_normal\(scale\)"),
        ("normal(0, mean=1)", r"Write normal\(mean, sd\)"),
        ("normal(0, 1, **x)", r"Write normal\(mean, sd\)"),
        ("normal(1 + 1, 2)", r"'1 \+ 1': is neither a number nor a known prior"),
        ("normal('a', 1)", "is neither a number nor a known prior"),
        ("normal(True, 1)", "'True': is neither a number nor a known prior"),
        ("normal(*x)", "Write normal"),
        ("numpy.normal(0, 1)", "is neither a number nor a known prior"),
        ("-flat", "'-flat': is neither a number nor a known prior"),
        ("half_normal(-1)", "scale of half_normal = -1: must be greater than 0. Give a positive"),
        ("half_normal(0)", "scale of half_normal = 0: must be greater than 0"),
        ("normal(0, 1e999)", "sd of normal = inf: is not finite"),
        ("normal(nan, 1)", "mean of normal = nan: is not finite"),
        ("normal(1" + "0" * 400 + ", 1)", "mean of normal = 10+: is not finite"),
        ("fixed(-inf)", "value of fixed = -inf: is not finite"),
        ("uniform(5, 0)", r"low of uniform = 5: is not below high = 0. Give low < high"),
        ("normal(flat, 1)", "mean of normal = flat: is not a number"),
        ("on_tau2(0.04)", "prior of on_tau2 = 0.04: is not a prior. Give one"),
        ("truncated(normal(0, 1), 8)", r"Write truncated\(prior, low, high\)"),
    ],
)
def test_bad_text_is_refused_with_the_remedy(text, message):
    with pytest.raises(ModelError, match=message) as caught:
        parse_prior(text)
    assert caught.value.problems


def test_reading_evaluates_nothing(tmp_path):
    with pytest.raises(ModelError):
        parse_prior(f"open({str(tmp_path / 'made')!r}, 'w')")
    assert list(tmp_path.iterdir()) == []


def test_a_prior_is_its_own_text():
    assert parse_prior(str(HalfNormal(0.5))) == HalfNormal(0.5)
