"""Files that RevMan exports.

Counts, means and results of Fleiss (1993), The statistical basis of meta-analysis, Statistical
Methods in Medical Research 2:121-145, as an export of RevMan 5 gives them.
"""

import io

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from tolerances import CLOSED

from bayesmeta.effects import compute_effects
from bayesmeta.errors import StudyTableError
from bayesmeta.frequentist import pool
from bayesmeta.studies import read_studies

WEB = (
    "Analysis group,Analysis number,Analysis name,Subgroup,Applicability,Study,Study year,GIV Mean,"
    "GIV SE,Experimental mean,Experimental SD,Experimental cases,Experimental N,Control mean,"
    "Control SD,Control cases,Control N,O-E,Variance,Weight,Mean,CI start,CI end,Footnotes"
)
R5 = (
    "Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Statistical Method,"
    "Effect Measure,Analysis Model,Events 1,Mean 1,SD 1,Total 1,Events 2,Mean 2,SD 2,Total 2,"
    "Effect Estimate,SE,CI Start,CI End,Weight,Q,Group Label 1,Group Label 2,Year of study"
)
R5_ROWS = """
1,0,0,Examples,,,,,,,,,,,,,,,,,,,,,
1,1,0,Death,DIC,MH,OR,Fixed,2128,,,14186,2286,,,13817,0.89686556,,0.8405144,0.95699471,100,9.9,Aspirin,Placebo,
1,1,0,MRC-1,,,,,49,0,0,615,67,0,0,624,0.71971415,0.19721981,0.48897453,1.05933628,3.1,,,,1974
1,1,0,CDP,,,,,44,0,0,758,64,0,0,771,0.6807598,0.20289717,0.4573909,1.01321191,3.1,,,,1976
1,1,0,MRC-2,,,,,102,0,0,832,126,0,0,850,0.80287019,0.14314855,0.60645288,1.06290292,5.6,,,,1979
1,1,0,GASP,,,,,32,0,0,317,38,0,0,309,0.80073869,0.2544889,0.48626104,1.31859721,1.7,,,,1979
1,1,0,PARIS,,,,,85,0,0,810,52,0,0,406,0.79814324,0.18761568,0.55256335,1.15286803,3.2,,,,1980
1,1,0,AMIS,,,,,246,0,0,2267,219,0,0,2257,1.1327364,0.09806494,0.93466468,1.37278298,10.1,,,,1980
1,1,0,ISIS-2,,,,,1570,0,0,8587,1720,0,0,8600,0.89496936,0.03880977,0.82941758,0.96570193,72.8,,,,1988
1,2,0,Mental health,CON,IV,MD,Fixed,0,,,106,0,,,126,-0.70938839,,-1.25848502,-0.16029176,100,5,T,C,
1,2,0,Davis,,,,,0,5,4.7,13,0,6.5,3.8,13,-1.5,1.67630546,-4.78549833,1.78549833,2.7,,,,1973
1,2,0,Florell,,,,,0,4.9,1.71,30,0,6.1,2.3,50,-1.2,0.45085474,-2.08365906,-0.31634094,38.6,,,,1971
1,2,0,Gruen,,,,,0,22.5,3.44,35,0,24.9,10.65,35,-2.4,1.89175731,-6.10777619,1.30777619,2.1,,,,1975
1,2,0,Hart,,,,,0,12.5,1.47,20,0,12.3,1.66,20,0.2,0.49580742,-0.77176469,1.17176469,31.9,,,,1975
1,2,0,Wilson,,,,,0,6.5,0.76,8,0,7.38,1.41,8,-0.88,0.56631484,-1.98995669,0.22995669,24.4,,,,1977
"""


def frame(header, rows):
    return pd.read_csv(io.StringIO(header + "\n" + rows.strip()), dtype=str, keep_default_na=False)


def web(*rows):
    """Data rows as RevMan Web writes them, given by the columns that they fill."""
    return pd.DataFrame([dict.fromkeys(WEB.split(","), "") | row for row in rows]).astype(str)


def row(study, *, analysis="1", name="Death", subgroup="", **numbers):
    of = {"events": ("Experimental cases", "Experimental N", "Control cases", "Control N"),
          "means": ("Experimental mean", "Experimental SD", "Experimental N", "Control mean",
                    "Control SD", "Control N"),
          "giv": ("GIV Mean", "GIV SE"), "oev": ("O-E", "Variance")}  # fmt: skip
    cells = {"Analysis group": "1", "Analysis number": analysis, "Analysis name": name,
             "Subgroup": subgroup, "Study": study, "Mean": "9", "Weight": "1"}  # fmt: skip
    for kind, values in numbers.items():
        cells |= dict(zip(of[kind], values, strict=True))
    return cells


def test_revman_5_prints_the_effects_and_the_pooled_odds_ratio_that_its_file_gives():
    table = frame(R5, R5_ROWS)
    studies = read_studies(table, analysis="1.1")
    printed = table[(table["Outcome Number"] == "1") & (table["Data Type"] == "")]
    effects = compute_effects(studies, "OR")
    assert_allclose(effects.S**0.5, printed["SE"].astype(float), rtol=1e-6)  # printed to 8 decimals
    pooled = pool(studies, "OR", methods="MH")["MH"]
    assert_allclose(np.exp(pooled.estimate), 0.89686556, rtol=1e-7)
    assert studies.studies[0] == "MRC-1"
    assert "RevMan analysed 1.1 Death as MH, OR, Fixed" in studies.notes
    assert "1.1 Death: treated: Aspirin; control: Placebo" in studies.notes


def test_revman_5_means_give_its_pooled_mean_difference():
    studies = read_studies(frame(R5, R5_ROWS), analysis="Mental health")
    assert_allclose(pool(studies, "MD", methods="EE")["EE"].estimate, -0.70938839, rtol=1e-7)
    assert studies.outcomes == ("1.2 Mental health",)
    assert "other analyses left out: 1.1 Death" in studies.notes


def test_several_kinds_of_data_must_be_chosen_from():
    with pytest.raises(StudyTableError, match=r"counts: '1.1 Death'; means: '1.2.*analysis='1.1'"):
        read_studies(frame(R5, R5_ROWS))
    with pytest.raises(StudyTableError, match=r"no such analysis. Did you mean '1.1 Death'"):
        read_studies(frame(R5, R5_ROWS), analysis="1.1 Deaht")


def test_subgroups_of_revman_5_are_rows_of_their_own():
    rows = """
1,1,0,Death,DIC,MH,OR,Fixed,5,,,20,6,,,20,0.8,,0.1,2,100,9.9,Aspirin,Placebo,
1,1,1,Old,,,,,3,,,10,3,,,10,0.8,,0.1,2,50,0,,,
1,1,1,MRC-1,,,,,3,0,0,10,3,0,0,10,0.7,0.2,0.5,1.0,3.1,,,,1974
1,1,2,Young,,,,,2,,,10,3,,,10,0.8,,0.1,2,50,0,,,
1,1,2,CDP,,,,,2,0,0,10,3,0,0,10,0.7,0.2,0.5,1.0,3.1,,,,1976
"""
    studies = read_studies(frame(R5, rows))
    assert studies.studies == ("MRC-1", "CDP")
    assert studies.frame["Subgroup"].tolist() == ["Old", "Old", "Young", "Young"]


def test_a_study_of_revman_5_whose_subgroup_has_no_row_is_not_lost():
    rows = """
1,1,0,Death,DIC,MH,OR,Fixed,5,,,20,6,,,20,0.8,,0.1,2,100,9.9,Aspirin,Placebo,
1,1,1,MRC-1,,,,,3,0,0,10,3,0,0,10,0.7,0.2,0.5,1.0,3.1,,,,1974
1,1,1,CDP,,,,,2,0,0,10,3,0,0,10,0.7,0.2,0.5,1.0,3.1,,,,1976
"""
    assert read_studies(frame(R5, rows)).studies == ("MRC-1", "CDP")


def test_a_file_of_revman_5_without_studies_is_refused():
    with pytest.raises(StudyTableError, match="no row of a study"):
        read_studies(frame(R5, R5_ROWS.strip().splitlines()[0]))


def test_generic_inverse_variance_of_revman_5_is_refused_by_name():
    rows = "1,1,0,Death,IV,IV,HR,Fixed,,,,,,,,,0.8,,0.1,2,100,9.9,A,B,\n1,1,0,X" + "," * 21
    with pytest.raises(StudyTableError, match=r"line|row 0.*IV.*Export it from RevMan Web"):
        read_studies(frame(R5, rows))


def test_analyses_of_revman_web_become_outcomes():
    studies = read_studies(
        web(
            row("Bao 2008", events=(10, 20, 1, 20)),
            row("Liu 2015", events=(83, 181, 46, 181)),
            row("Bao 2008", analysis="2", name="Relapse", events=(2, 20, 3, 20)),
        )
    )
    assert studies.outcomes == ("1.1 Death", "1.2 Relapse")
    assert studies.arms == ("treated", "control")
    counts = studies.select(outcome="1.1 Death").two_arm()
    assert (counts.events_treated.tolist(), counts.n_control.tolist()) == ([10, 83], [20, 181])
    assert "RevMan's own results left out: Weight, Mean, CI start, CI end" in studies.notes


def test_means_of_revman_web_are_means():
    studies = read_studies(web(row("Davis", means=(5, 4.7, 13, 6.5, 3.8, 13))))
    assert_allclose(compute_effects(studies, "MD").y, -1.5, rtol=CLOSED)


def test_estimates_of_revman_web_keep_their_digits():
    studies = read_studies(web(row("A", giv=("-0.35", "0.120"))))
    assert (studies.layout, studies.frame["se"].tolist()) == ("contrast", [0.12])
    assert_allclose(studies.provenance["se_low"], 0.1195, rtol=CLOSED)


def test_observed_minus_expected_is_petos_estimate():
    studies = read_studies(web(row("A", oev=("-3.2", "4.0"))))
    assert_allclose(studies.frame[["estimate", "variance"]], [[-0.8, 0.25]], rtol=CLOSED)
    assert "(O-E)/V with variance 1/V" in " ".join(studies.notes)
    with pytest.raises(StudyTableError, match="Variance = 0: "):
        read_studies(web(row("A", oev=("-3.2", "0"))))


def test_a_study_in_several_subgroups_is_never_counted_twice_in_one_outcome():
    rows = [
        row("Bao 2008", subgroup="Men", events=(5, 10, 1, 10)),
        row("Bao 2008", subgroup="Women", events=(5, 10, 0, 10)),
        row("Liu 2015", subgroup="Men", events=(8, 90, 4, 90)),
    ]
    studies = read_studies(web(*rows))
    assert studies.outcomes == ("1.1 Death: Men", "1.1 Death: Women")
    assert any("Bao 2008 in several subgroups" in note for note in studies.notes)
    apart = read_studies(web(rows[1], rows[2]))
    assert apart.outcomes == ("1.1 Death",)
    assert apart.frame["Subgroup"].tolist() == ["Women", "Women", "Men", "Men"]
    with pytest.raises(StudyTableError, match="given twice"):
        read_studies(web(rows[0], rows[0]))


def test_problems_of_a_revman_file_name_its_own_lines_and_columns():
    table = web(row("A", events=(1, 10, 1, 10)), row("B", analysis="2", events=(30, 20, 1, 10)))
    with pytest.raises(StudyTableError, match="row 1, study 'B', Experimental cases = 30: more"):
        read_studies(table, analysis="1.2")
    with pytest.raises(StudyTableError, match="no number"):
        read_studies(web(row("A", events=(1, 10, 1, 10)), row("B")))
