"""The rule by which a publication chose its model: "DL if Q p < 0.1 or I2 > 50% else MH"."""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from bayesmeta.errors import ModelError

QUANTITIES = ("Q p", "I2", "k", "tau2")
RANDOM_OR_FIXED = ("random", "fixed")  # as papers write, for the methods of their software
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_FORM = "METHOD if CONDITION [and CONDITION ... | or CONDITION ...] else METHOD"
_EXAMPLE = "'DL if Q p < 0.1 or I2 > 50% else MH'"
_CONDITION = re.compile(r"(?P<quantity>.+?)\s*(?P<sign><=|>=|<|>)\s*(?P<number>[^<>=]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A comparison of one quantity with a number; I2 in percent."""

    quantity: str
    sign: str
    number: float

    def __str__(self) -> str:
        percent = "%" if self.quantity == "I2" else ""
        return f"{self.quantity} {self.sign} {self.number:.12g}{percent}"

    def holds(self, values: Mapping[str, float]) -> bool:
        """Say whether it holds; for an undefined value (nan) it does not."""
        return _COMPARISONS[self.sign](values[self.quantity], self.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A choice between two methods.

    Attributes
    ----------
    chosen, otherwise : str
        Method taken if the conditions hold, and the one taken else.
    conditions : tuple of Condition
        At least one.
    joined : {"and", "or"}
        Whether all of them must hold, or one.
    """

    chosen: str
    otherwise: str
    conditions: tuple[Condition, ...]
    joined: str = "or"

    def __str__(self) -> str:
        conditions = f" {self.joined} ".join(map(str, self.conditions))
        return f"{self.chosen} if {conditions} else {self.otherwise}"

    @property
    def quantities(self) -> tuple[str, ...]:
        """What it looks at, each once."""
        return tuple(dict.fromkeys(condition.quantity for condition in self.conditions))

    def choose(self, values: Mapping[str, float]) -> str:
        """Give the method for these values of its quantities."""
        held = [condition.holds(values) for condition in self.conditions]
        return self.chosen if (all if self.joined == "and" else any)(held) else self.otherwise


def is_rule(text: str) -> bool:
    """Say whether a method's name is meant as a rule: it has more than one word."""
    return len(text.split()) > 1


def parse_rule(text: str, methods: Sequence[str]) -> Rule:
    """Read a rule, strictly.

    Parameters
    ----------
    text : str
        "METHOD if CONDITION else METHOD", with conditions joined by "and" or by "or", not by both;
        a condition compares "Q p", "I2", "k" or "tau2" with a number by <, <=, > or >=.
    methods : sequence of str
        Names that may stand for METHOD, besides the words "random" and "fixed".

    Returns
    -------
    Rule
        Its text is the normal form.

    Raises
    ------
    ModelError
        The text is not such a rule; the message says what is allowed.

    Examples
    --------
    >>> str(parse_rule("DL if Q p<.1 or I2>50% else MH", ["DL", "MH"]))
    'DL if Q p < 0.1 or I2 > 50% else MH'
    """
    words = re.fullmatch(r"\s*(\S+)\s+if\s+(.+?)\s+else\s+(\S+)\s*", text)
    if words is None:
        raise ModelError(f"The rule {text!r} is not of the form {_FORM}. Write {_EXAMPLE}.")
    chosen, middle, otherwise = words.groups()
    for name in (chosen, otherwise):
        if name not in (*methods, *RANDOM_OR_FIXED):
            close = {key.lower(): key for key in (*methods, *RANDOM_OR_FIXED)}
            near = get_close_matches(name.lower(), close, n=1)
            hint = f"Did you mean {close[near[0]]!r}? " if near else ""
            raise ModelError(
                f"The rule {text!r} names an unknown method {name!r}. {hint}"
                f"There are {', '.join(methods)}, and the words {' and '.join(RANDOM_OR_FIXED)}."
            )
    if chosen == otherwise:
        raise ModelError(f"The rule {text!r} takes {chosen} either way. Write {chosen}.")
    joints = {joint for joint in ("and", "or") if re.search(rf"\s{joint}\s", middle)}
    if len(joints) == 2:
        raise ModelError(
            f"The rule {text!r} mixes 'and' with 'or', which can be read in two ways. Join all "
            "conditions by one of them."
        )
    joined = joints.pop() if joints else "or"
    parts = re.split(rf"\s+{joined}\s+", middle)
    conditions = tuple(_parse_condition(part, text) for part in parts)
    return Rule(chosen=chosen, otherwise=otherwise, conditions=conditions, joined=joined)


def spell_out(text: str, meant: Mapping[str, str]) -> str:
    """Put methods in place of the words "random" and "fixed" in a rule."""
    if not is_rule(text):
        return text
    first, *middle, last = text.split()
    return " ".join([meant.get(first, first), *middle, meant.get(last, last)])


def _parse_condition(part: str, text: str) -> Condition:
    found = _CONDITION.fullmatch(part.strip())
    if found is None:
        raise ModelError(
            f"The rule {text!r} has no comparison in {part!r}. Write one of "
            f"{', '.join(QUANTITIES)}, then one of {', '.join(_COMPARISONS)}, then a number: "
            f"{_EXAMPLE}."
        )
    quantity, sign, number = found.group("quantity", "sign", "number")
    quantity = " ".join(quantity.split())
    if quantity not in QUANTITIES:
        raise ModelError(
            f"The rule {text!r} looks at {quantity!r}. It can look at {', '.join(QUANTITIES)}."
        )
    number = number.strip()
    percent = number.endswith("%")
    if percent != (quantity == "I2"):
        fix = "I2 is in percent: write I2 > 50%." if quantity == "I2" else "Only I2 is in percent."
        raise ModelError(f"The rule {text!r} compares {quantity} with {number!r}. {fix}")
    try:
        value = float(number.removesuffix("%"))
    except ValueError:
        value = math.nan
    low, high = {"Q p": (0.0, 1.0), "I2": (0.0, 100.0)}.get(quantity, (0.0, math.inf))
    if not (low <= value <= high and math.isfinite(value)):
        where = f"between {low:g} and {high:g}" if math.isfinite(high) else "that is not negative"
        raise ModelError(
            f"The rule {text!r} compares {quantity} with {number!r}. Write a number {where}."
        )
    return Condition(quantity=quantity, sign=sign, number=value)
