"""What the columns of a table of estimates are called: the part that each plays."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

type Part = Literal["estimate", "se", "variance", "ci_low", "ci_high", "p", "level"]

# In order of preference. Names are compared in lower case, signs between words as spaces.
SPELLINGS: Mapping[Part, Sequence[str]] = {
    "estimate": ("estimate", "yi", "est", "effect", "te", "effect size", "es"),
    "se": ("se", "sei", "sete", "stderr", "std err", "std error", "standard error"),
    "variance": ("variance", "vi", "var"),
    "ci_low": ("ci low", "low", "ci lower", "lower", "lower ci", "lower limit", "ci lb", "lb",
               "lci", "lcl", "ll", "conf low"),
    "ci_high": ("ci high", "high", "ci upper", "upper", "upper ci", "upper limit", "ci ub", "ub",
                "uci", "ucl", "ul", "conf high"),
    "p": ("p", "p value", "pvalue", "pval"),
    "level": ("level", "ci level", "conf level"),
}  # fmt: skip
RATIOS: Mapping[str, str] = {
    "or": "OR",
    "odds ratio": "OR",
    "rr": "RR",
    "risk ratio": "RR",
    "relative risk": "RR",
    "hr": "HR",
    "hazard ratio": "HR",
    "irr": "IRR",
    "rate ratio": "IRR",
    "incidence rate ratio": "IRR",
    "rom": "ROM",
    "ratio of means": "ROM",
}
DIFFERENCES: Mapping[str, str] = {
    "md": "MD",
    "mean difference": "MD",
    "smd": "SMD",
    "g": "SMD",
    "hedges g": "SMD",
    "d": "D",
    "cohens d": "D",
    "cohen s d": "D",
    "rd": "RD",
    "risk difference": "RD",
    "ird": "IRD",
}
RATIO_MEASURES = (*dict.fromkeys(RATIOS.values()), "PETO", "VR", "PLN", "IRLN")
_LEVEL = re.compile(r"(?<![\d.])(\d\d(?:\.\d+)?)\s*%?")


def plain(name: str) -> str:
    """Write a name in small letters, with spaces for the signs between its words.

    Examples
    --------
    >>> plain("CI.lb"), plain("Odds_Ratio")
    ('ci lb', 'odds ratio')
    """
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def limit_of(name: str) -> tuple[Part, float | None] | None:
    """Say which limit a column holds, and of what coverage if its name says so.

    Examples
    --------
    >>> limit_of("95% CI lower"), limit_of("uci"), limit_of("dose")
    (('ci_low', 0.95), ('ci_high', None), None)
    """
    found = _LEVEL.search(name)
    level = float(found[1]) / 100 if found and float(found[1]) > 50 else None
    bare = plain(_LEVEL.sub(" ", name, count=1) if level is not None else name)
    for part in ("ci_low", "ci_high"):
        if bare in SPELLINGS[part]:
            return part, level
    if level is not None and bare in ("l", "u"):
        return ("ci_low" if bare == "l" else "ci_high"), level
    return None


def is_error_of_measure(name: str) -> bool:
    """Say whether a column is named as the standard error of a measure on the analysis scale.

    Examples
    --------
    >>> [is_error_of_measure(name) for name in ("selogHR", "SE(ln(OR))", "se_md", "se_or")]
    [True, True, True, False]
    """
    error = re.fullmatch(r"(?:se|std err(?:or)?|stderr|standard error) ?(?:of )?(.+)", plain(name))
    said = None if error is None else measure_of(error[1])
    return said is not None and said[1] != "ratio"


def measure_of(name: str) -> tuple[str, Literal["analysis", "ratio"] | None] | None:
    """Say what a column named after a measure holds: the measure, and on which scale.

    Examples
    --------
    >>> measure_of("OR"), measure_of("log_or"), measure_of("lnHR"), measure_of("SMD")
    (('OR', 'ratio'), ('OR', 'analysis'), ('HR', 'analysis'), ('SMD', None))
    """
    words = plain(name)
    if words in RATIOS:
        return RATIOS[words], "ratio"
    if words in DIFFERENCES:
        return DIFFERENCES[words], None
    logarithm = re.fullmatch(r"(?:log|ln) ?(.+)", words)
    if logarithm and logarithm[1] in RATIOS:
        return RATIOS[logarithm[1]], "analysis"
    return None
