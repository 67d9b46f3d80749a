"""The one sentence in which every study table is refused."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from bayesmeta.errors import Problem, StudyTableError


def refusal(source: str, problems: Sequence[Problem]) -> StudyTableError:
    """Make the error that tells all problems of one table.

    Parameters
    ----------
    source : str
        Name of the table, as its reader knows it.
    problems : sequence of Problem
        Everything that is wrong, in the order in which it should be read.

    Returns
    -------
    StudyTableError
        To be raised by the caller.

    Examples
    --------
    >>> print(refusal("trials.csv", [Problem(what="the file is empty", fix="Save it again.")]))
    trials.csv has 1 problem; nothing was fitted.
      the file is empty. Save it again.
    """
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return StudyTableError(f"{source} has {count}; nothing was fitted.", problems)


def listed(labels: Iterable[str]) -> str:
    """Quote labels and join them by commas.

    Examples
    --------
    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    return ", ".join(repr(label) for label in labels)


def did_you_mean(label: object, known: Iterable[str]) -> str:
    """Suggest the nearest known label, or list what there is.

    Examples
    --------
    >>> did_you_mean("contrl", ["IL-2RA", "control"])
    "Did you mean 'control'?"
    >>> did_you_mean("placebo", ["IL-2RA", "control"])
    "There are: 'IL-2RA', 'control'."
    """
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(str(label).lower(), by_lower, n=1)
    if near:
        return f"Did you mean {by_lower[near[0]]!r}?"
    return f"There are: {listed(by_lower.values())}." if by_lower else "There are none."
