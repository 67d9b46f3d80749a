"""What the files beside the code say of it."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest

import bayesmeta as bm
from bayesmeta.effects import MEASURES
from bayesmeta.frequentist import (
    METHODS,
    IntervalMethod,
    PredictionMethod,
    Tau2IntervalMethod,
)
from bayesmeta.frequentist.bias.small_study import ASYMMETRY_TESTS
from bayesmeta.frequentist.bias.trim_fill import MISSING
from bayesmeta.studies.reading import Conversion

ROOT = Path(__file__).parents[1]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_all_files_give_one_version():
    project = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    cited = re.search(r"^version: (.+)$", text("CITATION.cff"), re.M)
    logged = re.search(r"^## \[(.+?)\] - (.+)$", text("CHANGELOG.md"), re.M)
    released = re.search(r"^date-released: (.+)$", text("CITATION.cff"), re.M)
    assert {project, cited[1], logged[1]} == {bm.__version__}
    assert logged[2] == released[1]


def test_ci_runs_the_tests_as_the_readme_does():
    commands = [block.strip() for block in re.findall(r"```sh\n(.*?)```", text("README.md"), re.S)]
    assert commands[1].endswith("pytest -n 2")
    assert f"\n{commands[1]}\n" in text(".ci/run")


def test_every_public_name_is_in_the_api():
    listed = set(re.findall(r"^   ([\w.]+)$|`(\w+)`", text("docs/api/index.md"), re.M))
    public = {*bm.__all__, *(f"plots.{name}" for name in bm.plots.__all__)} - {"plots"}
    assert public - {name for names in listed for name in names} == set()


def test_the_architecture_names_every_layer_in_the_order_of_the_contract():
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = [name for line in contracts[0]["layers"] for name in line.split(" | ")]
    (drawn,) = re.findall(r"## The layers.*?```text\n(.*?)```", text("docs/architecture.md"), re.S)
    columns = re.findall(r"^ +(\w+)(?: +\| +(\w+))?(?= |$)", drawn, re.M)
    assert [name for line in columns for name in line if name] == layers


def names_with_evidence() -> set[str]:
    """Names in the first column of the tables of docs/methods whose last says "held against"."""
    found = set()
    for page in (ROOT / "docs" / "methods").glob("*.md"):
        for block in re.findall(r"(?:^\|.*\n)+", page.read_text(encoding="utf-8"), re.M):
            heading, _, *rows = [line.strip("|\n ").split("|") for line in block.splitlines()]
            if heading[-1].strip() == "held against":
                given = [row[0] for row in rows if row[-1].strip()]
                found |= {name for cell in given for name in re.findall(r"[\w.-]+", cell)}
    return found


CHOICES = (IntervalMethod, PredictionMethod, Tau2IntervalMethod, Conversion)
NAMED = {
    "measures": MEASURES,
    "methods": METHODS,
    "intervals and conversions": [one for kind in CHOICES for one in get_args(kind.__value__)],
    "tests": ASYMMETRY_TESTS,
    "trim and fill": MISSING,
    "functions": ["selection_model", "blups", "leave_one_out", "influence", "cumulative", "baujat"],
    "fail-safe numbers": [row.method for row in bm.fail_safe_n(bm.load("bcg"), "OR").rows],
}


@pytest.mark.parametrize("kind", NAMED)
def test_everything_is_documented_with_what_it_is_held_against(kind):
    assert set(NAMED[kind]) <= names_with_evidence(), set(NAMED[kind]) - names_with_evidence()


@pytest.mark.slow
@pytest.mark.nuts
def test_the_python_example_of_the_readme_runs_as_it_says():
    (example,) = re.findall(r"```python\n(.*?)```", text("README.md"), re.S)
    names = {}
    exec(example, names)
    said = re.search(r"# P\(OR < 1\) = (0\.\d+)", example)
    assert f"{float(names['post'].mu.cdf(0.0)):.4f}" == said[1]


def test_the_readme_shows_the_exact_rows_of_a_run():
    result = bm.run_comparison(ROOT / "models" / "bcg.toml", nuts=False)[0].to_frame()
    exact = result[result["road"] == "exact"].set_index("method")
    for method in ("normal", "binomial"):
        row = exact.loc[method]
        shown = (
            f"{row.natural_estimate:.3f} {row.natural_ci_low:.3f}, {row.natural_ci_high:.3f} "
            f"{row.natural_pi_low:.3f}, {row.natural_pi_high:.3f} {row.tau:.3f} "
            f"{row.tau_low:.3f}, {row.tau_high:.3f}"
        )
        assert f"{method} likelihood" in text("README.md")
        assert shown in text("README.md")
