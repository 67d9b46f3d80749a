"""The rules of the code base that a program can check."""

import re
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import bayesmeta as bm

ROOT = Path(__file__).parent.parent
MODELS = sorted((ROOT / "models").rglob("*.toml"))


def test_imports_go_one_way(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_comparison_reads_and_fits_its_data(path):
    comparison = bm.read_comparison(path)
    for outcome, tables in zip(comparison.outcomes, comparison.load(), strict=True):
        assert tables or outcome.published
        for studies in tables:
            for model in comparison.models_of(outcome):
                assert len(model.bind(studies).studies) == studies.k


def test_there_is_a_comparison():
    assert MODELS


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == bm.__version__


@pytest.mark.skipif(not (ROOT / "CHANGELOG.md").exists(), reason="there is no changelog yet")
def test_the_changelog_knows_the_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]?", changelog, flags=re.MULTILINE)
    assert headings[:1] == [bm.__version__]
