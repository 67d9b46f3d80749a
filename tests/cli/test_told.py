"""What a reader of tables is told on the command line."""

import pytest
from numpy.testing import assert_allclose

from tests.cli.results import data_of

PRINTED = "study,HR,von,bis\nA,0.70,0.50,0.98\nB,0.85,0.60,1.20\n"


def test_columns_scale_and_level_may_be_told(call, tmp_path):
    (tmp_path / "printed.csv").write_text(PRINTED)
    words = ("--columns", "ci_low=von", "--columns", "ci_high=bis", "--data-level", "90")
    found = data_of(call, "effects", "printed.csv", *words)
    assert (found["measure"], found["scale"]) == ("HR", "log")
    # log(0.98 / 0.50) / (2 x 1.6448536269514722)
    assert_allclose(found["rows"][0]["variance"], 0.204560595**2, rtol=1e-6)
    assert found["rows"][0]["note"].startswith("SE from the 90% interval 0.50 to 0.98")
    status, out, _ = call("effects", "printed.csv", *words)
    assert status == 0
    assert "good to 2 digits" in " ".join(out.split())


def test_a_table_of_hazard_ratios_is_fitted_with_its_default_priors(call, tmp_path):
    (tmp_path / "hr.csv").write_text(PRINTED.replace("von,bis", "lower,upper"))
    status, out, err = call("fit", "hr.csv")
    assert (status, err) == (0, "")
    assert "hazard ratio, 2 studies" in out
    assert "effect ~ normal(0, 2.82) (default)" in out
    assert call("pool", "hr.csv", "--method", "DL")[0] == 0


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("bcg", "--measure", "OR", "--scale", "ratio"), ("scale", "told, but")),
        (("t.csv", "--columns", "ci_low"), ("--columns = ci_low", "events=deaths")),
        (("t.csv", "--columns", "ci_lo=von"), ("Did you mean 'ci_low'",)),
        (
            ("t.csv", "--columns", "ci_low=von", "--columns", "ci_low=bis"),
            ("ci_low=von", "ci_low=bis", "ci_low is given twice"),
        ),
        (("t.csv", "--data-level", "0.05"), ("level = 0.05", "Write 0.95")),
        (("t.csv", "--scale", "log"), ("Invalid value", "--scale")),
        (("t.csv", "--analysis", "1.1"), ("RevMan did not write this table",)),
    ],
)
def test_what_is_told_in_vain_is_refused(call, tmp_path, words, parts):
    (tmp_path / "t.csv").write_text(PRINTED)
    status, _, err = call("effects", *words)
    assert status == 2
    for part in parts:
        assert part in err
