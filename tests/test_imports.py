"""What importing the package loads, and what it offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmeta as bm

HEAVY = [
    "pymc", "pytensor", "nutpie", "arviz", "arviz_base", "arviz_stats", "arviz_plots", "xarray",
    "matplotlib", "scipy.stats", "scipy.interpolate", "scipy.optimize", "pydantic", "rich",
    "cyclopts", "tomli_w",
]  # fmt: skip
EVERYTHING = f"import bayesmeta; [getattr(bayesmeta, name) for name in {bm.__all__!r}]"
AN_EXACT_FIT = """
import bayesmeta as bm
model = bm.Model(measure="OR", likelihood=bm.NormalLikelihood(), effect=bm.Normal(0, 2.82),
                 heterogeneity=bm.HalfNormal(0.5))
bm.fit(model, bm.load("bcg")).summary()
bm.pool(bm.load("bcg"), "OR")
"""


def loaded_by(code):
    """Heavy modules that a new interpreter has loaded after running the code."""
    ask = f"{code}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


@pytest.mark.parametrize(
    "code", ["import bayesmeta", EVERYTHING], ids=["the package", "every name"]
)
def test_importing_loads_nothing_heavy(code):
    assert loaded_by(code) == []


@pytest.mark.slow
def test_exact_fits_and_pooling_load_nothing_heavy():
    assert set(loaded_by(AN_EXACT_FIT)) <= {"scipy.optimize", "scipy.interpolate"}


def test_every_public_name_is_there():
    for name in bm.__all__:
        assert getattr(bm, name) is not None
        assert name in dir(bm)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        bm.fitt  # noqa: B018


def test_type_checkers_see_the_names_that_are_loaded_later():
    tree = ast.parse(Path(bm.__file__).read_text(encoding="utf-8"))
    (guarded,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {(node.module, name.asname) for node in guarded.body for name in node.names}
    assert seen == {(home, name) for name, home in bm._HOMES.items()}


@pytest.mark.slow
def test_importing_costs_little_more_than_numpy_and_pandas():
    def seconds(code):
        timed = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        runs = [
            subprocess.run(
                [sys.executable, "-c", timed], capture_output=True, text=True, check=True
            )
            for _ in range(3)
        ]
        return min(float(run.stdout) for run in runs)

    assert seconds("import bayesmeta") < 1.25 * seconds("import numpy, pandas")
