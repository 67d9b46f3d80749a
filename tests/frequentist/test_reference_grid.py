"""The reference numbers that the tests carry are all of metafor's: none is skipped."""

from collections import Counter

from frequentist.metafor_cases import CASES, ITERATED, RANDOM, TABLES

ODDS = [name for name, measure in CASES if measure == "OR"]
POOLED = {"beta", "se", "ci_lb", "ci_ub", "pval", "tau2", "I2", "H2", "QE", "QEp", "k"}
PREDICTED = {"pi_lb", "pi_ub", "knha", "adhoc"}
KNAPP_HARTUNG = {"se", "ci_lb", "ci_ub", "pval"}
FURTHER = {
    "DL": {"tau2_qprofile_ci"},
    "PM": {"tau2_qprofile_ci"},
    "REML": {"tau2_qprofile_ci", "logLik"},
    "ML": {"logLik"},
}
TROUBLE = {
    "egger_lm": {"stat", "p", "df"},
    "regtest_rma_REML": {"stat", "p"},
    "begg": {"tau", "p"},
    "trimfill_L0_REML": {"k0", "side", "beta", "se"},
    "selmodel_step025_ML": {"beta", "tau2", "delta", "alternative"},
    "blup_REML": {"pred", "se"},
    "leave1out_REML": {"estimate", "tau2"},
}
OF_COUNTS = {"harbord": {"stat", "p", "df"}, "peters": {"stat", "p", "df"}}


def numbers(part):
    """How many numbers a part of a golden file holds."""
    if isinstance(part, dict):
        return sum(map(numbers, part.values()))
    if isinstance(part, list):
        return sum(map(numbers, part))
    return 0 if isinstance(part, str) else 1


def test_nine_data_sets_have_21_measures():
    assert len(CASES) == 21
    assert Counter(name for name, _ in CASES) == {
        "bcg": 3, "hine1989": 3, "yusuf1985_table6": 3, "nielweise2007": 3, "normand1999": 3,
        "raudenbush1985": 1, "nielweise2008": 1, "pritz1997": 3, "molloy2014": 1,
    }  # fmt: skip


def test_every_measure_has_its_effects_and_every_method_all_of_its_numbers(golden):
    data = golden("metafor_pool")
    for name, measure in CASES:
        block = data[name][measure]
        assert len(block["yi"]) == len(block["vi"]) == data[name]["k"]
        assert set(block["inverse_variance"]) == {"EE", *RANDOM}
        for method, row in block["inverse_variance"].items():
            own = PREDICTED | FURTHER.get(method, set()) if method != "EE" else set()
            assert set(row) == POOLED | own, (name, measure, method)
            assert all(set(row[form]) == KNAPP_HARTUNG for form in ("knha", "adhoc") if form in row)
    assert set(ITERATED) <= set(RANDOM)


def test_every_table_of_counts_has_its_pooled_counts(golden):
    data = golden("metafor_pool")
    for name, measure in TABLES:
        assert set(data[name][measure]["mantel_haenszel"]) == POOLED - {"tau2", "H2", "k"}
    for name in ODDS:
        assert set(data[name]["OR"]["peto"]) == POOLED - {"tau2", "I2", "H2", "k"}
        fit = golden("glmm")["UM.FS"][name]
        assert set(fit) == {"beta", "se", "tau2", "ci_lb", "ci_ub", "logLik"}


def test_every_measure_has_every_test_for_trouble(golden):
    data = golden("metafor_trouble")
    for name, measure in CASES:
        wanted = TROUBLE | OF_COUNTS if measure == "OR" else TROUBLE
        found = {key: set(block) for key, block in data[name][measure].items()}
        assert found == wanted, (name, measure)


def test_no_number_is_missing(golden):
    pooled, trouble = golden("metafor_pool"), golden("metafor_trouble")
    total = sum(numbers(pooled[name][measure]) for name, measure in CASES)
    total += sum(numbers(trouble[name][measure]) for name, measure in CASES)
    total += sum(numbers(golden("glmm")["UM.FS"][name]) for name in ODDS)
    assert total == 6115  # as in the run of metafor
