"""Comparison files: what they hold, and how every fault of one is told at its place."""

import re
import tomllib
from dataclasses import fields, replace

import pytest

import bayesmeta as bm
from bayesmeta.comparison.reading import read_reading
from bayesmeta.comparison.section import Section
from bayesmeta.likelihoods import LIKELIHOODS

BCG = """
title = "BCG vaccine"
data = "bcg"
arms = ["treated", "control"]
[model]
measure = "OR"
likelihoods = ["normal", "binomial"]
effect = "normal(0, 2.82)"
heterogeneity = "half_normal(0.5)"
baseline = "normal(0, 10)"
[[outcome]]
name = "tuberculosis"
better = "lower"
"""
PUBLISHED = """
published = { model = "random", k = 13, estimate = "0.47", ci = ["0.33", "0.69"], p = "<0.0001" }
"""
TIDY = """study,arm,outcome,events,n
A,drug,death,1,10
A,placebo,death,2,10
A,drug,pain,3,10
A,placebo,pain,4,10
B,drug,death,2,20
B,placebo,death,3,20
"""


@pytest.fixture
def write(tmp_path):
    """write(text, name): a comparison file in an empty folder."""

    def write(text, name="bcg.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def problems_of(path):
    with pytest.raises(bm.ComparisonError) as caught:
        bm.read_comparison(path)
    return {problem.column: problem for problem in caught.value.problems}


def test_a_file_gives_one_model_per_likelihood(write):
    comparison = bm.read_comparison(write(BCG))
    assert [str(model.likelihood) for model in comparison.models] == ["normal", "binomial"]
    assert comparison.models[1] == bm.Model(
        measure="OR",
        likelihood=bm.BinomialLikelihood(baseline=bm.Normal(0, 10)),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    assert comparison.outcomes == (bm.Outcome(name="tuberculosis", better="lower"),)
    assert comparison.name == "bcg"


def test_printed_numbers_keep_their_digits(write):
    published = bm.read_comparison(write(BCG + PUBLISHED)).outcomes[0].published
    assert published.estimate.half_unit == pytest.approx(0.005)
    assert published.p.bound == "below"
    assert published.ci[1].text == "0.69"


SECTIONS = """
[reference]
software = "RevMan 5"
methods = ["MH-RM", "REML", "REML if k>=5 else EE"]
rule = "DL-MH if Q p<.1 or I2>50% else MH-RM"
interval = "hksj"
pi = "nagashima"
tau2_interval = "generalised-q"
[sampling]
draws = 500
tune = 300
chains = 2
seed = 7
target_accept = 0.95
sampler = "pymc"
"""


@pytest.mark.parametrize(
    "text", [BCG, BCG + PUBLISHED, BCG + SECTIONS], ids=["plain", "row", "all"]
)
def test_a_file_survives_reading_and_writing_twice(write, tmp_path, text):
    first = bm.read_comparison(write(text))
    bm.write_comparison(first, tmp_path / "second.toml", record={"made with": "care"})
    second = bm.read_comparison(tmp_path / "second.toml")
    bm.write_comparison(second, tmp_path / "third.toml")
    assert second == first
    assert bm.read_comparison(tmp_path / "third.toml") == first


def test_rules_are_read_into_their_normal_form(write):
    comparison = bm.read_comparison(write(BCG + SECTIONS))
    assert comparison.rule == "DL-MH if Q p < 0.1 or I2 > 50% else MH-RM"
    assert comparison.methods == ("MH-RM", "REML", "REML if k >= 5 else EE")
    assert (comparison.interval, comparison.pi) == ("hksj", "nagashima")
    assert comparison.tau2_interval == "generalised-q"


def test_random_and_fixed_stay_in_a_rule_that_is_read(write):
    text = '[reference]\nsoftware = "RevMan 5"\nrule = "random if Q p<.1 else fixed"\n'
    assert bm.read_comparison(write(BCG + text)).rule == "random if Q p < 0.1 else fixed"


def test_each_model_survives_by_itself(write):
    for model in bm.read_comparison(write(BCG)).models:
        assert bm.Model.from_text(**model.as_text()) == model


def test_every_default_is_spelt_out(write, tmp_path):
    bm.write_comparison(bm.read_comparison(write(BCG)), tmp_path / "resolved.toml")
    written = (tmp_path / "resolved.toml").read_text()
    for default in ('correction = "only0"', 'random_effects = "normal"', 'software = "metafor"',
                    'interval = "wald"', 'pi = "metafor"', 'tau2_interval = "q-profile"',
                    "draws = 2000", "seed = 1", "target_accept = 0.9",
                    'sampler = "nutpie"'):  # fmt: skip
        assert default in written


OF_LIKELIHOODS = {  # data, measure, likelihood, its options
    "normal": ("bcg", "OR", 'correction = "all"'),
    "binomial": ("bcg", "OR", 'baseline = "student_t(7, -2, 1.5)"\nbaseline_of = "average"'),
    "conditional": ("bcg", "OR", ""),
    "poisson": ("nielweise2008", "IRR", 'baseline = "normal(-5, 4)"'),
    "one_arm": ("pritz1997", "PLO", ""),
    "correlation": ("molloy2014", "ZCOR", ""),
    "student": ("raudenbush1985", "GEN", "df = 4.5"),
}


def file_of(likelihood, *lines):
    """The text of a comparison file with one likelihood, its options and further lines."""
    data, measure, options = OF_LIKELIHOODS[likelihood]
    model = [f'measure = "{measure}"', f'likelihoods = ["{likelihood}"]', options, *lines]
    if not any(line.startswith("heterogeneity") for line in lines):
        model.append('heterogeneity = "log_normal(-1, 1.2)"')
    return "\n".join([f'title = "t"\ndata = "{data}"\n[model]', *model,
                      'effect = "student_t(3, 0.1, 2)"\n[[outcome]]\nname = "o"\nbetter = "lower"',
                      ""])  # fmt: skip


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(
    "form", ["normal", "t(4)", "outliers(2)", "outliers(1.5, 0.05)", "unrelated"]
)
def test_whatever_a_model_holds_is_read_from_a_file_and_written(write, tmp_path, likelihood, form):
    more = ['heterogeneity = "fixed(0)"'] if form == "unrelated" else []
    first = bm.read_comparison(write(file_of(likelihood, f'random_effects = "{form}"', *more)))
    (model,) = first.models
    assert (str(model.likelihood), str(model.random_effects)) == (likelihood, form)
    for part in OF_LIKELIHOODS[likelihood][2].splitlines():
        name, _, value = part.partition(" = ")
        held = getattr(model if name == "correction" else model.likelihood, name)
        assert str(held) == value.strip('"')
    bm.write_comparison(first, tmp_path / "again.toml")
    assert bm.read_comparison(tmp_path / "again.toml") == first
    assert bm.Model.from_text(**model.as_text()) == model


@pytest.mark.parametrize(
    ("likelihood", "change", "place", "remedy"),
    [
        ("student", ("df = 4.5", 'df = "4.5"'), "model.df", "Write df = 7."),
        ("student", ("df = 4.5", "df = -1"), "model.df", "above 0"),
        ("student", ("df = 4.5", ""), "model.measure (student likelihood)", "df = 7 for all"),
        ("normal", ('correction = "all"', "df = 3"), "model.df", "add student"),
        ("poisson", ("[[outcome]]", 'baseline_of = "average"\n[[outcome]]'), "model.baseline_of",
         "add binomial"),
        ("binomial", ('"average"', '"treated"'), "model.baseline_of", "'control', 'average'"),
    ],
)  # fmt: skip
def test_a_fault_of_an_option_of_a_likelihood_is_told(write, likelihood, change, place, remedy):
    text = file_of(likelihood)
    assert change[0] in text
    problems = problems_of(write(text.replace(*change)))
    assert list(problems) == [place]
    assert remedy in problems[place].fix


@pytest.mark.parametrize("form", ["t(4)", "outliers(2)", "outliers(2, 0.1)"])
def test_the_form_of_the_random_effects_is_read_and_written(write, tmp_path, form):
    text = BCG.replace("[[outcome]]", f'random_effects = "{form}"\n[[outcome]]')
    first = bm.read_comparison(write(text))
    assert {str(model.random_effects) for model in first.models} == {form}
    bm.write_comparison(first, tmp_path / "again.toml")
    assert bm.read_comparison(tmp_path / "again.toml") == first


def test_a_form_that_cannot_be_read_is_told_at_its_place(write):
    text = BCG.replace("[[outcome]]", 'random_effects = "t(0.2)"\n[[outcome]]')
    problem = problems_of(write(text))["model.random_effects"]
    assert "t(0.2) cannot be used" in problem.what
    assert "degrees of freedom from 1 on" in problem.fix


def test_a_data_file_is_found_beside_the_comparison_and_from_another_folder(write, tmp_path):
    write(TIDY, "trials.csv")
    text = BCG.replace('"bcg"', '"trials.csv"').replace(
        '["treated", "control"]', '["drug", "placebo"]'
    )
    comparison = bm.read_comparison(write(text.replace("tuberculosis", "death")))
    ((studies,),) = comparison.load()
    assert studies.arms == ("drug", "placebo")
    elsewhere = tmp_path / "deeper" / "still"
    elsewhere.mkdir(parents=True)
    bm.write_comparison(comparison, elsewhere / "copy.toml")
    assert bm.read_comparison(elsewhere / "copy.toml") == comparison


def test_contrasts_need_no_arms(write):
    text = BCG.replace('"bcg"', '"eight_schools"').replace('"OR"', '"GEN"')
    text = text.replace('arms = ["treated", "control"]\n', "").replace(', "binomial"', "")
    comparison = bm.read_comparison(write(text.replace('baseline = "normal(0, 10)"\n', "")))
    assert comparison.arms is None
    assert comparison.load()[0][0].k == 8


def test_several_outcomes_are_selected_from_the_table(write):
    write(TIDY, "trials.csv")
    text = BCG.replace('"bcg"', '"trials.csv"').replace(
        '["treated", "control"]', '["drug", "placebo"]'
    )
    text = text.replace("tuberculosis", "death") + '[[outcome]]\nname = "pain"\nbetter = "lower"\n'
    (death,), (pain,) = bm.read_comparison(write(text)).load()
    assert (death.studies, pain.studies) == (("A", "B"), ("A",))


PRINTED = """id,OR,von,bis
A,2.41,1.46,3.99
B,4.47,2.24,8.95
"""
READING = """
[reading]
columns = { study = "id", estimate = "OR", ci_low = "von", ci_high = "bis" }
measure = "OR"
scale = "ratio"
level = 95
"""


def _of_estimates(reading=READING):
    text = BCG.replace('"bcg"', '"printed.csv"').replace('arms = ["treated", "control"]\n', "")
    return text.replace(', "binomial"', "").replace('baseline = "normal(0, 10)"\n', "") + reading


def test_what_the_reader_is_told_stands_in_the_file_and_survives_it(write, tmp_path):
    write(PRINTED, "printed.csv")
    first = bm.read_comparison(write(_of_estimates()))
    assert first.reading.level == 0.95
    assert first.load()[0][0].measure == "OR"
    bm.write_comparison(first, tmp_path / "second.toml")
    assert bm.read_comparison(tmp_path / "second.toml") == first
    assert "[reading.columns]" in (tmp_path / "second.toml").read_text()


def test_every_field_of_the_reading_survives_a_file(write, tmp_path):
    write(PRINTED, "printed.csv")
    told = {"correlation": 0.5, "conversion": "luo-wan", "shared": "split", "analysis": "1.1"}
    comparison = bm.read_comparison(write(_of_estimates()))
    reading = replace(comparison.reading, **told)
    assert None not in [getattr(reading, part.name) for part in fields(reading)]
    bm.write_comparison(replace(comparison, reading=reading), tmp_path / "second.toml")
    section = tomllib.loads((tmp_path / "second.toml").read_text())["reading"]
    problems = []
    assert read_reading(Section(values=section, path="reading", problems=problems)) == reading
    assert problems == []


def test_a_comparison_without_a_reading_writes_none(write, tmp_path):
    bm.write_comparison(bm.read_comparison(write(BCG)), tmp_path / "second.toml")
    assert "reading" not in (tmp_path / "second.toml").read_text()


@pytest.mark.parametrize(
    ("reading", "place", "fix"),
    [
        ('[reading]\nscal = "ratio"', "reading.scal", "Did you mean 'scale'"),
        ('[reading]\nscale = "log"', "reading.scale", "There are: 'analysis', 'ratio'"),
        ('[reading]\nmeasure = "ORR"', "reading.measure", "Did you mean 'RR'"),
        ("[reading]\nlevel = 0.05", "reading.level", "0.95"),
        ('[reading]\nlevel = "95%"', "reading.level", "level = 0.95"),
        ("[reading]\nlevel = true", "reading.level", "level = 0.95"),
        ("[reading]\ncorrelation = 2", "reading.correlation", "0.5"),
        ("[reading]\ncolumns = { events = 1 }", "reading.columns", "its name"),
        ("[reading]\nanalysis = 1.1", "reading.analysis", '"1.1"'),
        ("reading = 3", "reading", r"reading = \.\.\."),
    ],
)
def test_a_fault_of_the_reading_is_told_at_its_place(write, reading, place, fix):
    write(PRINTED, "printed.csv")
    text = _of_estimates("")
    path = write(reading + "\n" + text if "[" not in reading else text + reading)
    found = problems_of(path)
    assert list(found) == [place]
    assert re.search(fix, found[place].fix)


def test_a_bundled_table_is_read_as_told(write):
    with pytest.raises(bm.StudyTableError, match="told, but"):
        bm.read_comparison(write(BCG + '[reading]\nscale = "ratio"\n'))


FAULTS = {
    "an unknown key": (
        ('heterogeneity = "half', 'heterogenity = "half'),
        "model.heterogenity",
        "Did you mean 'heterogeneity'",
    ),
    "an unknown table": (("[model]", "[sampler]\n[model]"), "sampler", "Did you mean 'sampling'"),
    "a missing key": (('measure = "OR"\n', ""), "model.measure", "Add measure"),
    "a missing table": (("[[outcome]]", "[[outcomes]]"), "outcomes", "Did you mean 'outcome'"),
    "a misspelt measure": (('"OR"', '"or"'), "model.measure", "Did you mean 'OR'"),
    "a misspelt likelihood": (('"binomial"', '"binomal"'), "model.likelihoods[1]", "'binomial'"),
    "a likelihood twice": (('"binomial"', '"normal"'), "model.likelihoods", "once"),
    "no likelihood": (('["normal", "binomial"]', "[]"), "model.likelihoods", '["normal"]'),
    "a misspelt prior": (("half_normal", "halfnormal"), "model.heterogeneity", "half_normal"),
    "a negative scale": (
        ("half_normal(0.5)", "half_normal(-1)"),
        "model.heterogeneity",
        "positive",
    ),
    "a negative tau": (("half_normal(0.5)", "normal(0, 1)"), "model.heterogeneity", "truncated"),
    "a missing baseline": (('baseline = "normal(0, 10)"\n', ""), "model.baseline", "normal(0, 10)"),
    "an unwanted baseline": ((', "binomial"', ""), "model.baseline", "Remove it"),
    "an improper baseline": (('"normal(0, 10)"', '"flat"'), "model.baseline", "normal(0, 10)"),
    "a misspelt direction": (('"lower"', '"lwer"'), "outcome[0].better", "Did you mean 'lower'"),
    "an unknown table of studies": (('"bcg"', '"bgc"'), "data", "Did you mean 'bcg'"),
    "one arm": (('["treated", "control"]', '["treated"]'), "arms", "[treated, control]"),
    "three arms": (('"control"]', '"control", "third"]'), "arms", "[treated, control]"),
    "an unknown arm": (('"control"]', '"controll"]'), "arms", "Did you mean 'control'"),
    "an empty title": (('"BCG vaccine"', '""'), "title", "Write title"),
    "a number for a text": (('"BCG vaccine"', "1"), "title", "Write title"),
    "a measure without its likelihood": (
        ('"OR"', '"PETO"'),
        "model.measure (binomial likelihood)",
        "OR",
    ),
    "another outcome of a table that has one": (
        ("[[outcome]]", '[[outcome]]\nname = "death"\nbetter = "lower"\n[[outcome]]'),
        "outcome",
        "column outcome",
    ),
    "an outcome twice": (
        ("[[outcome]]", '[[outcome]]\nname = "tuberculosis"\nbetter = "lower"\n[[outcome]]'),
        "outcome[1].name",
        "once",
    ),
}


@pytest.mark.parametrize(("change", "place", "remedy"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_at_its_place_with_its_remedy(write, change, place, remedy):
    assert change[0] in BCG
    problems = problems_of(write(BCG.replace(*change, 1)))
    assert list(problems) == [place]
    assert remedy in problems[place].fix


ADDED_FAULTS = {
    "half a rule": ('[reference]\nrule = "DL if Q p < 0.1"', "reference.rule", "else METHOD"),
    "a method for a rule": ('[reference]\nrule = "DL"', "reference.rule", "random if Q p < 0.1"),
    "an unknown method in a rule": (
        '[reference]\nmethods = ["DL if k > 2 else HM"]', "reference.methods[0]", "MH-RM",
    ),
    "an unknown interval": ('[reference]\ninterval = "hk"', "reference.interval", "'hksj'"),
    "an unknown prediction interval": ('[reference]\npi = "z"', "reference.pi", "nagashima"),
    "an unknown interval of tau2": (
        '[reference]\ntau2_interval = "qp"', "reference.tau2_interval", "q-profile",
    ),
    "a rule of metafor for RevMan": (
        '[reference]\nsoftware = "RevMan 5"\nrule = "DL if k > 1 else MH"', "reference.rule",
        "Write MH-RM",
    ),
    "an unknown software": ('[reference]\nsoftware = "Stata"', "reference.software", "metafor"),
    "metafor's form in RevMan": (
        '[reference]\nsoftware = "RevMan 5"\nmethods = ["MH"]', "reference.methods", "MH-RM",
    ),
    "an unknown method": ('[reference]\nmethods = ["RML"]', "reference.methods[0]", "'REML'"),
    "no draws": ("[sampling]\ndraws = 0", "sampling.draws", "2000"),
    "half a chain": ("[sampling]\nchains = 1.5", "sampling.chains", "4"),
    "a true seed": ("[sampling]\nseed = true", "sampling.seed", "1"),
    "another sampler": ('[sampling]\nsampler = "stan"', "sampling.sampler", "'nutpie', 'pymc'"),
    "a rate above one": ("[sampling]\ntarget_accept = 1.5", "sampling.target_accept", "0.9"),
    "a published number": (
        'published = { model = "random", estimate = 0.47 }',
        "outcome[0].published.estimate",
        '"0.47" as printed',
    ),
    "a published interval of numbers": (
        'published = { model = "random", estimate = "0.47", ci = [0.33, 0.69] }',
        "outcome[0].published.ci",
        "as printed",
    ),
    "a published word": (
        'published = { model = "random", estimate = "half" }',
        "outcome[0].published.estimate",
        "decimal point",
    ),
    "swapped limits": (
        'published = { model = "random", estimate = "0.47", ci = ["0.69", "0.33"] }',
        "outcome[0].published.ci",
        "swapped",
    ),
    "a misspelt published key": (
        'published = { model = "random", estimat = "0.47" }',
        "outcome[0].published.estimat",
        "Did you mean 'estimate'",
    ),
    "no study published": (
        'published = { model = "fixed", estimate = "0.47", k = 0 }', "outcome[0].published.k", "2",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("added", "place", "remedy"), ADDED_FAULTS.values(), ids=ADDED_FAULTS)
def test_a_fault_in_an_optional_part_is_told_at_its_place(write, added, place, remedy):
    problems = problems_of(write(f"{BCG}{added}\n"))
    assert list(problems) == [place]
    assert remedy in problems[place].fix


def test_all_faults_are_told_at_once(write):
    text = BCG.replace('"OR"', '"ORR"').replace('"lower"', '"lwer"').replace("half_normal", "hn")
    path = write(text.replace("title", "titel"))
    assert set(problems_of(path)) == {
        "titel",
        "model.measure",
        "model.heterogeneity",
        "outcome[0].better",
    }
    with pytest.raises(bm.ComparisonError, match="4 problems; nothing was fitted"):
        bm.read_comparison(path)


def test_a_tidy_table_needs_arms(write):
    text = BCG.replace('"bcg"', '"crins2014"').replace('arms = ["treated", "control"]\n', "")
    problems = problems_of(write(text))
    assert "IL-2RA" in problems["arms"].fix


def test_a_broken_table_is_told_as_one(write):
    write(TIDY.replace("1,10", "11,10"), "trials.csv")
    with pytest.raises(bm.StudyTableError, match=r"line 2.*more events"):
        bm.read_comparison(write(BCG.replace('"bcg"', '"trials.csv"')))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title = "no end\n', r"line 1.*not TOML"),
        ("title = 1\ntitle = 2\n", r"line 2.*not TOML"),
        ("", "title: missing"),
    ],
)
def test_a_file_that_is_no_toml_is_told(write, text, message):
    with pytest.raises(bm.ComparisonError, match=message):
        bm.read_comparison(write(text))


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(bm.ComparisonError, match="no such file"):
        bm.read_comparison(tmp_path / "nothing.toml")


def test_a_file_in_another_encoding_is_told(tmp_path):
    (tmp_path / "latin.toml").write_bytes('title = "Bürkner"'.encode("latin-1"))
    with pytest.raises(bm.ComparisonError, match="UTF-8"):
        bm.read_comparison(tmp_path / "latin.toml")


def test_models_of_a_comparison_differ_in_their_likelihood_only(write):
    comparison = bm.read_comparison(write(BCG))
    other = replace(comparison.models[1], effect=bm.Normal(0, 1))
    with pytest.raises(bm.ComparisonError, match="likelihood only"):
        replace(comparison, models=(comparison.models[0], other))


@pytest.mark.parametrize(
    ("key", "text", "what"),
    [("p", "1.2", "above 1"), ("q_p", "-0.1", "below 0"), ("i2", "120", "above 100")],
)
def test_a_printed_number_that_cannot_be_is_told(write, key, text, what):
    row = PUBLISHED.replace('p = "<0.0001"', f'{key} = "{text}"')
    problem = problems_of(write(BCG + row))[f"outcome[0].published.{key}"]
    assert (problem.what, problem.value) == (what, repr(text))
