"""Pages that the tests read, and open in a browser where there is one."""

import warnings

import pandas as pd
import pytest
from report.browser import CHROMIUM
from report.pages import EVIL, PLACE

import bayesmeta as bm

collect_ignore = [] if CHROMIUM else ["test_browser.py"]
LONG = "A trial with a name that is much longer than any column of a phone is wide, 2019"

COMPARISON = """
title = "Drug & co {evil}"
data = "<b>trials.csv"
arms = ["<i>drug", "placebo"]
[model]
measure = "OR"
likelihoods = ["normal"]
effect = "normal(0, 2.82)"
heterogeneity = "half_normal(0.5)"
[reference]
rule = "random if Q p < 0.1 else fixed"
[[outcome]]
name = "death {evil}"
better = "lower"
published = {{ model = "fixed", estimate = "0.40", ci = ["0.15", "2.99"], k = 3 }}
[[outcome]]
name = "pain / fever"
better = "lower"
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Results of two outcomes, with markup and long words in what users write."""
    place = tmp_path_factory.mktemp("report")
    rows = []
    for outcome in (f"death {EVIL}", "pain / fever"):
        for study, a, b in ((f"Hart {EVIL}", 2, 9), (LONG, 5, 7), ("臨床試験", 3, 6)):
            rows += [(study, "<i>drug", outcome, a, 50), (study, "placebo", outcome, b, 50)]
    table = pd.DataFrame(rows, columns=["study", "arm", "outcome", "events", "n"])
    table.to_csv(place / "<b>trials.csv", index=False)
    path = place / f"{PLACE}.toml"
    path.write_text(COMPARISON.format(evil=EVIL), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a font of the figures may have no such letters
        results = bm.run_comparison(path, place / "out", nuts=False)
    return place / "out", results
