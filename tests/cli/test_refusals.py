"""How the command line refuses."""

import pytest

from tests.cli.results import BCG, assert_refused

HEADER = "study,ai,n1i,ci,n2i\n"
GOOD = "Hart,1,10,2,10\n"
TABLES = {
    "more events than patients": (HEADER + "Maki,12,10,2,10\n", ["line 2", "Maki", "swapped"]),
    "a negative count": (HEADER + "Hart,-1,10,2,10\n", ["line 2", "ai = -1", "start at 0"]),
    "a fraction of a patient": (HEADER + "Hart,1.5,10,2,10\n", ["line 2", "ai = 1.5", "Give"]),
    "a missing number": (HEADER + "Hart,NaN,10,2,10\n", ["line 2", "ai", "Fill it in"]),
    "a text for a number": (HEADER + "Hart,one,10,2,10\n", ["line 2", "ai = one", "12 or 0.35"]),
    "a study twice": (HEADER + GOOD + GOOD, ["line 3", "Hart", "given twice"]),
    "one arm only": ("study,arm,events,n\nA,drug,1,10\n", ["line 2", "'A'", "other arm"]),
    "an empty file": ("", ["empty", "Save"]),
    "no header": ("Hart,1,10,2,10\nMaki,2,10,3,10\n", ["header", "names of the columns"]),
    "a header alone": (HEADER, ["no rows", "Add"]),
    "another delimiter": (HEADER.replace(",", ";"), ["semicolons", "commas"]),
    "an infinite effect": ("study,yi,vi\nA,inf,1\nB,1,1\n", ["line 2", "yi = inf", "infinite"]),
    "a variance of zero": ("study,yi,vi\nA,1,0\nB,1,1\n", ["line 2", "vi = 0", "infinite weight"]),
    "a negative standard error": ("study,estimate,se\nA,1,-1\n", ["line 2", "se = -1", "sign"]),
    "a missing label": (HEADER + ",1,10,2,10\n", ["line 2", "study", "label"]),
    "an empty arm": (HEADER + "Hart,0,0,2,10\n", ["line 2", "without patients"]),
    "a row too long": (HEADER + "Hart,1,10,2,10,7\n", ["line 2"]),
    "unknown columns": ("name,a,b\nx,1,2\n", ["study"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), TABLES.values(), ids=TABLES)
@pytest.mark.parametrize("command", ["fit", "pool", "effects"])
def test_a_broken_table_is_refused(call, tmp_path, command, text, parts):
    (tmp_path / "trials.csv").write_text(text)
    assert_refused(call(command, "trials.csv", "--measure", "OR"), parts, tmp_path)


@pytest.mark.parametrize(("text", "parts"), TABLES.values(), ids=TABLES)
def test_a_comparison_of_a_broken_table_is_refused(call, tmp_path, text, parts):
    (tmp_path / "trials.csv").write_text(text)
    (tmp_path / "spec.toml").write_text(
        BCG.read_text().replace('data = "bcg"', 'data = "trials.csv"')
    )
    assert_refused(call("run", "spec.toml", "--out", "results"), parts, tmp_path)


COMMANDS = {
    "a missing table": (["fit", "no.csv", "--measure", "OR"], ["no.csv", "Check the path"]),
    "a misspelt table": (["fit", "bcgg", "--measure", "OR"], ["bcgg", "'bcg'"]),
    "a misspelt bundled table": (["data", "bgc"], ["bgc", "'bcg'"]),
    "an unknown measure": (["pool", "bcg", "--measure", "XX"], ["XX", "RD"]),
    "no measure": (["fit", "bcg"], ["--measure", "OR, RR, RD"]),
    "an unknown method": (["pool", "bcg", "--measure", "OR", "--method", "RML"], ["RML", "REML"]),
    "an unknown interval": (
        ["pool", "bcg", "--measure", "OR", "--interval", "hk"], ["hk", "hksj"],
    ),
    "an unknown engine": (["fit", "bcg", "--measure", "OR", "--engine", "stan"], ["stan", "nuts"]),
    "an unknown likelihood": (
        ["fit", "bcg", "--measure", "OR", "--likelihood", "probit"], ["probit", "binomial"],
    ),
    "an unknown prior": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "gamma(1, 1)"], ["gamma", "half_normal"],
    ),
    "a negative scale": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "half_normal(-1)"], ["-1", "positive"],
    ),
    "a prior that is code": (
        ["fit", "bcg", "--measure", "OR", "--tau-prior", "__import__('os')"], ["__import__"],
    ),
    "an error rate for a level": (
        ["fit", "bcg", "--measure", "OR", "--level", "0.05"], ["0.05", "0.95"],
    ),
    "an error rate for a level of pool": (
        ["pool", "bcg", "--measure", "OR", "--level", "0.05"], ["0.05", "0.95"],
    ),
    "an unknown correction": (
        ["fit", "bcg", "--measure", "OR", "--correction", "some"], ["some", "only0"],
    ),
    "a correction that is not used": (
        ["fit", "bcg", "--measure", "OR", "--likelihood", "binomial", "--correction", "all"],
        ["Leave --correction out"],
    ),
    "a baseline that is not used": (
        ["fit", "bcg", "--measure", "OR", "--baseline-prior", "normal(0, 1)"],
        ["Leave --baseline-prior out"],
    ),
    "an option of another likelihood": (
        ["fit", "bcg", "--measure", "OR", "--df", "4"], ["Leave --df out", "student"],
    ),
    "a baseline of another likelihood": (
        ["certify", "bcg", "--measure", "OR", "--baseline-of", "average"],
        ["Leave --baseline-of out", "binomial"],
    ),
    "an unknown baseline": (
        ["fit", "bcg", "--measure", "OR", "--baseline-of", "treated"], ["control", "average"],
    ),
    "degrees of freedom that are none": (
        ["fit", "raudenbush1985", "--likelihood", "student", "--df", "0", "--effect-prior",
         "normal(0, 1)", "--tau-prior", "half_normal(1)"], ["above 0"],
    ),
    "an unknown form of the random effects": (
        ["fit", "bcg", "--measure", "OR", "--random-effects", "student(4)"],
        ["t(4)", "outliers(2)", "unrelated"],
    ),
    "an unknown sampler": (
        ["certify", "bcg", "--measure", "OR", "--sampler", "stan"], ["nutpie", "pymc"],
    ),
    "a sampler of an exact fit": (
        ["fit", "bcg", "--measure", "OR", "--sampler", "pymc"], ['engine="nuts"'],
    ),
    "draws of an exact fit": (["fit", "bcg", "--measure", "OR", "--draws", "10"], ["draws"]),
    "a seed of an exact fit": (["fit", "bcg", "--measure", "OR", "--seed", "1"], ["rng"]),
    "no default prior": (
        ["fit", "eight_schools"], ["--effect-prior", "--tau-prior", '"half_normal(10)"'],
    ),
    "arms not chosen": (["fit", "crins2014", "--measure", "OR"], ["--arms", "IL-2RA"]),
    "three arms where two are wanted": (
        ["pool", "three.csv", "--measure", "OR"], ["--arms", "'low'"],
    ),
    "one arm": (["fit", "crins2014", "--measure", "OR", "--arms", "IL-2RA"], ["arms", "2"]),
    "an unknown arm": (
        ["fit", "crins2014", "--measure", "OR", "--arms", "IL-2RA", "contrl"], ["'control'"],
    ),
    "an unknown outcome": (["fit", "bcg", "--measure", "OR", "--outcome", "pain"], ["pain"]),
    "an unknown option": (["fit", "bcg", "--mesure", "OR"], ["--measure"]),
    "an unknown command": (["fitt"], ["fitt", "fit"]),
    "a word too many": (["fit", "bcg", "bcg", "--measure", "OR"], ["bcg"]),
    "an improper posterior": (
        ["fit", "two.csv", "--effect-prior", "flat", "--tau-prior", "flat"], ["prior"],
    ),
    "no comparison": (["run"], ["models/bcg.toml"]),
    "a missing comparison": (["run", "no.toml", "--out", "results"], ["no.toml", "Check the path"]),
    "a folder without comparisons": (["check", "."], ["no .toml file"]),
}  # fmt: skip


@pytest.mark.parametrize(("words", "parts"), COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_command_is_refused(call, tmp_path, words, parts):
    (tmp_path / "two.csv").write_text("study,yi,vi\nA,0.1,0.2\nB,0.2,0.2\n")
    three = "study,arm,events,n\nA,low,1,10\nA,high,2,10\nA,placebo,3,10\n"
    (tmp_path / "three.csv").write_text(three)
    assert_refused(call(*words), parts, tmp_path)


SPECS = {
    "a misspelt key": (("heterogeneity", "heterogenity"), ["heterogenity", "heterogeneity"]),
    "a missing baseline": (("baseline =", "# baseline ="), ["model.baseline", "normal(0, 10)"]),
    "an unknown table": (('data = "bcg"', 'data = "bgc"'), ["data", "bcg"]),
    "three arms": (('"control"]', '"control", "other"]'), ["arms", "two"]),
    "no TOML": (("[model]", "[model"), ["line"]),
}


@pytest.mark.parametrize(("change", "parts"), SPECS.values(), ids=SPECS)
def test_a_wrong_comparison_is_refused_and_leaves_no_file(call, tmp_path, change, parts):
    text = BCG.read_text()
    assert change[0] in text
    (tmp_path / "spec.toml").write_text(text.replace(*change, 1))
    assert_refused(call("run", "spec.toml", "--out", "results"), parts, tmp_path)
    assert_refused(call("check", "spec.toml"), parts, tmp_path)


TABLE_COMMANDS = ("fit", "certify", "pool", "effects", "bias", "influence")


@pytest.mark.parametrize("command", [*TABLE_COMMANDS, "run", "check", "data"])
def test_every_command_explains_itself(call, command):
    status, out, _ = call(command, "--help")
    assert status == 0
    assert f"bayesmeta {command}" in out


@pytest.mark.parametrize("command", TABLE_COMMANDS)
def test_help_tells_what_the_reader_may_be_told_apart_from_the_rest(call, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = call(command, "--help")
    own, reader = out.split("Reading the table")
    assert all(f"--{name} " in own for name in ("measure", "arms", "outcome", "correction", "json"))
    told = ("columns", "scale", "data-level", "analysis", "correlation", "conversion", "shared")
    assert all(f"--{name} " in reader and f"--{name} " not in own for name in told)


def test_help_lists_the_choices_of_intervals(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    _, out, _ = call("pool", "--help")
    words = " ".join(out.replace("│", " ").split())
    for choices in (
        "wald, t, hksj, hksj-adhoc, henmi-copas, profile",
        "metafor, hts, nagashima",
        "q-profile, generalised-q",
    ):
        assert choices in words


VALUED = {
    "pool": (
        "measure", "arms", "outcome", "correction", "method", "interval", "pi", "tau2-interval",
        "level", "columns", "scale", "data-level", "analysis", "correlation", "conversion",
        "shared",
    ),
    "fit": (
        "likelihood", "effect-prior", "tau-prior", "baseline-prior", "baseline-of", "df",
        "random-effects", "engine", "draws", "seed", "sampler",
    ),
    "run": ("out",),
}  # fmt: skip


@pytest.mark.parametrize(
    ("command", "option"), [(name, option) for name in VALUED for option in VALUED[name]]
)
def test_an_option_without_its_value_is_refused_in_one_line(call, command, option):
    status, out, err = call(command, "bcg", f"--{option}")
    assert (status, out) == (2, "")
    assert err.startswith("bayesmeta: ")
    assert err.count("\n") == 1
    assert f"--{option} requires" in err.replace('"', "")  # releases of cyclopts quote or not


@pytest.mark.parametrize(
    ("option", "choice"),
    [
        ("correction", "only0"),
        ("interval", "henmi-copas"),
        ("pi", "nagashima"),
        ("tau2-interval", "generalised-q"),
        ("scale", "ratio"),
        ("conversion", "luo-wan"),
        ("shared", "split"),
    ],
)
def test_a_choice_that_there_is_not_is_refused_in_one_line(call, option, choice):
    status, out, err = call("pool", "bcg", f"--{option}", "other")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert f"--{option}" in err
    assert choice in err
