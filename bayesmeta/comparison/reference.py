"""The table `reference`: the frequentist methods, the rule of the publication, and intervals."""

from collections.abc import Sequence
from typing import Any, get_args

from bayesmeta.comparison.section import Section, as_problem
from bayesmeta.errors import ModelError, Problem
from bayesmeta.frequentist import (
    METHODS,
    IntervalMethod,
    PredictionMethod,
    Tau2IntervalMethod,
    normal_name,
)
from bayesmeta.frequentist.rule import is_rule
from bayesmeta.frequentist.software import Software
from bayesmeta.studies.refusal import did_you_mean

REFERENCE = ("software", "methods", "rule", "interval", "pi", "tau2_interval")  # keys, in order
_RULE = "random if Q p < 0.1 or I2 > 50% else fixed"


def read_reference(section: Section | None) -> dict[str, Any]:
    """Read the fields of a comparison that this table holds; those not given are left out."""
    if section is None:
        return {}
    rule = _read_rule(section)
    given = {
        "software": section.choice("software", get_args(Software.__value__), default="metafor"),
        "methods": _read_methods(section),
        "rule": rule,
        "interval": section.choice("interval", get_args(IntervalMethod.__value__), default="wald"),
        "pi": section.choice("pi", get_args(PredictionMethod.__value__), default="metafor"),
        "tau2_interval": section.choice(
            "tau2_interval", get_args(Tau2IntervalMethod.__value__), default="q-profile"
        ),
    }
    if given["software"] == "RevMan 5":
        _refuse_form_of_metafor(section, "methods", given["methods"] or ())
        _refuse_form_of_metafor(section, "rule", [rule or ""])
    section.close()
    return {key: value for key, value in given.items() if value is not None}


def _read_methods(section: Section) -> tuple[str, ...] | None:
    texts = section.texts("methods", '["DL", "REML"]', required=False)
    found: list[str] = []
    for i, text in enumerate(texts or ()):
        place = f"{section.place('methods')}[{i}]"
        if not is_rule(text) and text not in METHODS:
            fix = did_you_mean(text, tuple(METHODS))
            section.problems.append(
                Problem(column=place, value=f"{text!r}", what="not known here", fix=fix)
            )
            continue
        try:
            found.append(normal_name(text))
        except ModelError as error:
            section.problems.append(as_problem(place, error))
    return tuple(dict.fromkeys(found)) if found else None


def _read_rule(section: Section) -> str | None:
    text = section.text("rule", _RULE, required=False)
    if text is None:
        return None
    if not is_rule(text):
        section.fault("rule", "not a rule", f'Write rule = "{_RULE}".')
        return None
    try:
        return normal_name(text)
    except ModelError as error:
        section.problems.append(as_problem(section.place("rule"), error))
        return None


def _refuse_form_of_metafor(section: Section, key: str, methods: Sequence[str]) -> None:
    """Note where Mantel-Haenszel in metafor's form is asked for beside RevMan's name."""
    if any("MH" in method.split() for method in methods):
        what = 'MH is metafor\'s form, and software is "RevMan 5"'
        section.fault(key, what, "Write MH-RM, or another software.")
