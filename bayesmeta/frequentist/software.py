"""Whose methods are meant where a publication does not name them: metafor's or RevMan 5's."""

from collections.abc import Sequence
from typing import Literal

from bayesmeta.frequentist.rule import RANDOM_OR_FIXED, spell_out

type Software = Literal["metafor", "RevMan 5"]

METHODS_OF: dict[Software, tuple[str, ...]] = {
    "metafor": ("EE", "MH", "DL", "REML"),
    "RevMan 5": ("EE", "MH-RM", "DL", "DL-MH", "REML"),
}
_MEANT: dict[Software, dict[str, tuple[str, ...]]] = {  # the first that the data allow
    "metafor": {"random": ("DL",), "fixed": ("MH", "EE")},
    "RevMan 5": {"random": ("DL-MH", "DL"), "fixed": ("MH-RM", "EE")},
}


def name_methods(rule: str, software: Software, fitting: Sequence[str]) -> str:
    """Put the methods of a software in place of the words "random" and "fixed" in a rule.

    Parameters
    ----------
    rule : str
        See `parse_rule`; another method's name is given back as it is.
    software : {"metafor", "RevMan 5"}
        DL and MH of metafor, DL-MH and MH-RM of RevMan 5, where the data are counts that these
        take; else DL and EE, inverse variance.
    fitting : sequence of str
        Methods that the data allow.

    Returns
    -------
    str

    Examples
    --------
    >>> name_methods("random if Q p < 0.1 else fixed", "RevMan 5", ["EE", "MH-RM", "DL", "DL-MH"])
    'DL-MH if Q p < 0.1 else MH-RM'
    >>> name_methods("random if Q p < 0.1 else fixed", "RevMan 5", ["EE", "DL"])
    'DL if Q p < 0.1 else EE'
    """
    return spell_out(rule, meant_by(software, fitting))


def meant_by(software: Software, fitting: Sequence[str]) -> dict[str, str]:
    """Give the methods that "random" and "fixed" stand for, among those that the data allow.

    Examples
    --------
    >>> meant_by("RevMan 5", ["EE", "MH-RM", "DL", "DL-MH"])
    {'random': 'DL-MH', 'fixed': 'MH-RM'}
    """
    return {
        word: next(name for name in _MEANT[software][word] if name in fitting)
        for word in RANDOM_OR_FIXED
    }
