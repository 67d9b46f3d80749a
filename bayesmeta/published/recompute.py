"""Printed results beside those of the publication's own method on the counts behind them."""

import math

import pandas as pd

from bayesmeta.errors import StudyTableError
from bayesmeta.frequentist import PooledEstimate, fitting_methods, pool
from bayesmeta.frequentist.software import Software, name_methods
from bayesmeta.printed import Printed
from bayesmeta.published.prints import agrees_with_print, write_as_printed
from bayesmeta.published.results import PublishedResult, load_published
from bayesmeta.published.row import PublishedRow
from bayesmeta.studies import StudyTable, load
from bayesmeta.studies.bundled import bundled_tables

_MEASURES = ("OR", "RR")


def recompute(name: str) -> pd.DataFrame:
    """Recompute the printed ratios of a publication by its own method, where counts are known.

    Parameters
    ----------
    name : str
        One of `available_published()`, whose source.toml names the rule by which it chose between
        fixed and random effects, and its software.

    Returns
    -------
    DataFrame
        One row for each printed result and each solution of its counts, restatements included:
        row, restates, comparison, outcome, measure, solution, k, method (that the rule took), then
        what is printed and what comes out, with the printed digits: printed, recomputed,
        p_printed, p_recomputed, q_p_printed, q_p_recomputed; differs names the numbers that would
        not have been printed so.

    Raises
    ------
    StudyTableError
        There is no publication of this name, or no counts of two arms are known behind its results.

    Examples
    --------
    >>> table = recompute("wang_2018_nephrotic_syndrome").set_index("row")
    >>> table.loc["wang-R-06", ["printed", "recomputed", "differs"]].tolist()
    ['1.31 (0.51, 3.40)', '1.31 (0.51, 3.40)', '']
    """
    results = load_published(name)
    table = bundled_tables().get(f"{name}/binary")
    if table is None or "rule" not in table.source:
        raise StudyTableError(f"{name} has no pooled results with counts; nothing was recomputed.")
    studies = load(f"{name}/binary")
    rule, software = table.source["rule"], table.source["software"]
    behind = set(studies.frame["row"])
    pooled: dict[str, dict[str, PooledEstimate]] = {}
    rows = []
    for result in results:
        original = result.restates or result.row_id
        if result.printed is None or result.measure not in _MEASURES or original not in behind:
            continue
        if original not in pooled:
            pooled[original] = _pooled(studies, result, rule, software)
        for solution, found in pooled[original].items():
            rows.append(_row(result, result.printed, found, solution))
    return pd.DataFrame(rows)


def _pooled(
    studies: StudyTable, result: PublishedResult, rule: str, software: Software
) -> dict[str, PooledEstimate]:
    """Pool the counts behind a result by the publication's rule, solution by solution."""
    table = studies.select(comparison=result.comparison).select(outcome=result.outcome)
    treated, control = table.arm_names
    table = table.select(arms=(treated, control))
    method = name_methods(rule, software, fitting_methods(table, result.measure))
    return {
        solution: pool(table.select(solution=solution), result.measure, methods=[method])[method]
        for solution in table.solutions
    }


def _row(
    result: PublishedResult, printed: PublishedRow, pooled: PooledEstimate, solution: str
) -> dict[str, object]:
    low, high = printed.ci or (None, None)
    pairs: dict[str, tuple[float, Printed | None]] = {
        "estimate": (math.exp(pooled.estimate), printed.estimate),
        "lower limit": (math.exp(pooled.ci_low), low),
        "upper limit": (math.exp(pooled.ci_high), high),
        "p": (pooled.p_value, printed.p),
        "q_p": (pooled.q_p, printed.q_p),
    }
    as_printed = {name: "" if own is None else own.text for name, (_, own) in pairs.items()}
    again = {
        name: "" if own is None else write_as_printed(value, own)
        for name, (value, own) in pairs.items()
    }
    differs = [
        name
        for name, (value, own) in pairs.items()
        if own is not None and not agrees_with_print(value, own)
    ]
    return {
        "row": result.row_id,
        "restates": result.restates,
        "comparison": result.comparison,
        "outcome": result.outcome,
        "measure": result.measure,
        "solution": solution,
        "k": pooled.k,
        "method": _taken(pooled),
        "printed": _ratio(as_printed),
        "recomputed": _ratio(again),
        "p_printed": as_printed["p"],
        "p_recomputed": again["p"],
        "q_p_printed": as_printed["q_p"],
        "q_p_recomputed": again["q_p"],
        "differs": ", ".join(differs),
    }


def _taken(pooled: PooledEstimate) -> str:
    """Give the method that a rule took, as its first note says."""
    return pooled.notes[0].rpartition("the rule takes ")[2]


def _ratio(texts: dict[str, str]) -> str:
    return f"{texts['estimate']} ({texts['lower limit']}, {texts['upper limit']})"
