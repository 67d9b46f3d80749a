"""The integer 2x2 tables that a published pooled result allows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import numpy as np
from scipy.special import chdtri

from bayesmeta.errors import ModelError, Problem, StudyTableError
from bayesmeta.frequentist.counts.sums import (
    PooledRatios,
    RatioMeasure,
    SumMethod,
    centre_of,
    pool_terms,
    spread_about,
    table_terms,
)
from bayesmeta.frequentist.counts.tables import Tables
from bayesmeta.published.prints import agrees_with_print
from bayesmeta.published.reconstruction import BoolArray, IntArray, Known, Reconstruction
from bayesmeta.published.row import PublishedRow
from bayesmeta.scales import FloatArray
from bayesmeta.studies.refusal import did_you_mean

LARGEST_SEARCH = 1_000_000_000  # sets of tables, some ten seconds
_BLOCK = 1_000_000  # sets of tables at a time
_SLACK = 1e-9  # of rounding in the recomputation, beside that of the print

type Arms = Mapping[str, tuple[int, int]] | Sequence[tuple[int, int]]


def reconstruct(
    published: PublishedRow,
    arms: Arms,
    *,
    measure: RatioMeasure,
    method: SumMethod,
    known: Known | None = None,
    largest: int = LARGEST_SEARCH,
) -> Reconstruction:
    """Find all counts of events that give every number that a publication prints for a result.

    The tables of trials with known arms are finite: every set of them is pooled by the
    publication's method, and kept if each recomputed number lies within the rounding of the
    printed one. A trial without an event in either arm, or with nothing but events, is not looked
    for: such trials are not pooled.

    Parameters
    ----------
    published : PublishedRow
        Its estimate, interval, p, q, q_p, i2 and tau2 are used as far as they are printed.
    arms : mapping of str to (int, int), or sequence of (int, int)
        Patients of the treated and of the control arm, trial by trial.
    measure : {"OR", "RR"}
    method : {"MH-RM", "DL-MH", "MH", "EE", "DL"}
        A key of `METHODS`: how the publication pooled; for one trial all are the same, but for
        zero cells.
    known : mapping of str to (int or None, int or None), optional
        Events of a trial's arms that are known beforehand; a smaller search.
    largest : int
        The largest number of sets of tables to look through.

    Returns
    -------
    Reconstruction
        All solutions; `keep` leaves those that other facts allow.

    Raises
    ------
    ModelError
        Another measure or method.
    StudyTableError
        Arms, known events or printed numbers that cannot be; or the search is too large.

    Notes
    -----
    The odds ratio of a trial with equal arms, and its variance, do not change when (a, c) becomes
    (n - c, n - a): no printed result tells such mirror images apart. They are all given, and
    `Reconstruction.folded` counts them once.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> rows = {row.row_id: row for row in bm.load_published("wang_2018_nephrotic_syndrome")}
    >>> arms = {"Choudhry 2009": (21, 20), "Wang W 2012": (26, 8)}
    >>> print(reconstruct(rows["wang-R-06"].printed, arms, measure="RR", method="DL-MH"))
    One set of tables gives every printed digit: 10 v 11, 22 v 3.
    """
    _require(measure, get_args(RatioMeasure.__value__), "measure")
    _require(method, get_args(SumMethod.__value__), "method")
    named = _named_arms(arms)
    problems = [*_faults_of_arms(named, published.k), *_faults_of_row(published)]
    problems += _faults_of_known(named, known or {})
    if problems:
        raise StudyTableError("The counts cannot be looked for.", problems)
    cells = [_possible(*named[name], *(known or {}).get(name, (None, None))) for name in named]
    number = math.prod(len(events) for events in cells)
    if number > largest:
        fix = (
            "Tell the events of some trials (known), or raise largest; a billion takes about ten "
            "seconds."
        )
        what = f"{number:.3g} sets of tables, more than {largest:.3g}"
        raise StudyTableError("The search is too large.", [Problem(what=what, fix=fix)])
    terms = [
        table_terms(_tables(events, *named[name]), measure, method)
        for name, events in zip(named, cells, strict=True)
    ]
    none = np.zeros((0, len(cells)), dtype=np.int64)
    found = np.concatenate([none, *_search(published, terms, method)])
    events = np.stack([cells[i][found[:, i]] for i in range(len(cells))], axis=1)
    order = np.lexsort(events.reshape(len(events), 2 * len(cells)).T[::-1])
    return Reconstruction.of(
        events[order],
        pool_terms(_gather(terms, found[order]), method),
        arms=named,
        measure=measure,
        method=method,
    )


def _search(
    published: PublishedRow, terms: Sequence[FloatArray], method: SumMethod
) -> Iterator[IntArray]:
    """Give the solutions (solution, study), as numbers of the studies' tables, in portions."""
    inner, outer = _halves([part.shape[1] for part in terms])
    shape = tuple(terms[i].shape[1] for i in inner)
    needed = 2 if method in ("MH-RM", "MH") else len(terms[0])
    block = sum(
        (_spread(terms[i][:needed], shape, at) for at, i in enumerate(inner)),
        np.zeros((needed, math.prod(shape))),
    )
    k = len(terms)
    for number in np.ndindex(*(terms[i].shape[1] for i in outer)):
        rest = sum((terms[i][:needed, j] for i, j in zip(outer, number, strict=True)), 0.0)
        near = _near(published, block + np.reshape(rest, (-1, 1)), k, method)
        if len(near) == 0:
            continue
        found = np.empty((len(near), k), dtype=np.int64)
        found[:, outer] = number
        found[:, inner] = np.stack(np.unravel_index(near, shape), axis=1)
        yield found[_agrees(published, pool_terms(_gather(terms, found), method))]


def _halves(sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Divide the studies: a block of those with most tables, and those looped over."""
    inner: list[int] = []
    held = 1
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        if not inner or held * sizes[i] <= _BLOCK:
            inner.append(i)
            held *= sizes[i]
    return inner, [i for i in range(len(sizes)) if i not in inner]


def _spread(terms: FloatArray, shape: tuple[int, ...], at: int) -> FloatArray:
    """Repeat the terms of one study over the product of several, flattened."""
    along = (len(terms), *(size if i == at else 1 for i, size in enumerate(shape)))
    return np.broadcast_to(terms.reshape(along), (len(terms), *shape)).reshape(len(terms), -1)


def _gather(terms: Sequence[FloatArray], found: IntArray) -> FloatArray:
    """Give the terms (8, study, solution) of solutions."""
    return np.stack([part[:, found[:, i]] for i, part in enumerate(terms)], axis=1)


def _near(published: PublishedRow, terms: FloatArray, k: int, method: SumMethod) -> IntArray:
    """Pass over most sets cheaply: by the estimate, or where effects are random by Q."""
    centre = centre_of(terms, method)
    if method not in ("DL-MH", "DL"):
        return np.flatnonzero(agrees_with_print(centre, published.estimate))
    if published.q_p is None or k < 2:
        return np.arange(terms.shape[1])
    p_low, p_high = max(published.q_p.low, 0.0), min(published.q_p.high, 1.0)
    q = spread_about(terms, centre)
    slack = _SLACK * (1.0 + q)
    return np.flatnonzero(
        (q >= chdtri(k - 1, p_high) - slack) & (q <= chdtri(k - 1, p_low) + slack)
    )


def _agrees(published: PublishedRow, pooled: PooledRatios) -> BoolArray:
    """Mark the sets whose every number would be printed as it was."""
    low, high = published.ci or (None, None)
    pairs = (
        (pooled.estimate, published.estimate),
        (pooled.ci_low, low),
        (pooled.ci_high, high),
        (pooled.p, published.p),
        (pooled.q, published.q),
        (pooled.q_p, published.q_p),
        (pooled.i2, published.i2),
        (pooled.tau2, published.tau2),
    )
    inside = [
        agrees_with_print(values, printed) for values, printed in pairs if printed is not None
    ]
    return np.asarray(np.all(inside, axis=0))


def _possible(n_t: int, n_c: int, a: int | None, c: int | None) -> IntArray:
    """Give the events (table, 2) that a trial may have."""
    first = np.arange(n_t + 1) if a is None else np.array([a])
    second = np.arange(n_c + 1) if c is None else np.array([c])
    events = np.stack(np.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(events[~_tables(events, n_t, n_c).double_zero])


def _tables(events: IntArray, n_t: int, n_c: int) -> Tables:
    a, c = events.T.astype(np.float64)
    return Tables(a=a, b=n_t - a, c=c, d=n_c - c)


def _require(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        raise ModelError(f"Unknown {what} {name!r} of counts. {did_you_mean(name, known)}")


def _named_arms(arms: Arms) -> dict[str, tuple[int, int]]:
    if isinstance(arms, Mapping):
        return dict(arms)
    return {f"study {i}": pair for i, pair in enumerate(arms, start=1)}


def _faults_of_arms(arms: Mapping[str, tuple[int, int]], k: int | None) -> Iterator[Problem]:
    if not arms:
        yield Problem(what="no trial is given", fix="Give the arm sizes of every trial.")
    elif k is not None and k != len(arms):
        what = f"{len(arms)} trials are given, and the result is printed for {k}"
        yield Problem(column="arms", what=what, fix="Give the arms of the trials that were pooled.")
    for study, sizes in arms.items():
        whole = len(sizes) == 2 and all(isinstance(n, int | np.integer) and n > 0 for n in sizes)
        if not whole:
            what = "not two numbers of patients"
            fix = "Write (TREATED, CONTROL), such as (20, 20)."
            yield Problem(study=study, value=str(sizes), what=what, fix=fix)


def _faults_of_row(published: PublishedRow) -> Iterator[Problem]:
    if published.estimate.high < 0:
        what, fix = "a ratio below 0", "Is it a logarithm? Give the ratio as it is printed."
        yield Problem(column="estimate", value=published.estimate.text, what=what, fix=fix)
    if published.ci is not None and published.ci[0].low > published.ci[1].high:
        text = ", ".join(limit.text for limit in published.ci)
        what, fix = "the lower limit is above the upper", "Are the limits swapped?"
        yield Problem(column="ci", value=text, what=what, fix=fix)
    for name in ("p", "q_p"):
        printed = getattr(published, name)
        if printed is not None and not 0 <= printed.value <= 1:
            what, fix = "no P value between 0 and 1", "Check the digits."
            yield Problem(column=name, value=printed.text, what=what, fix=fix)


def _faults_of_known(arms: Mapping[str, tuple[int, int]], known: Known) -> Iterator[Problem]:
    for study, events in known.items():
        if study not in arms:
            yield Problem(study=study, what="no such trial", fix=did_you_mean(study, arms))
            continue
        pairs = zip(events, arms[study], strict=True)
        if not all(x is None or 0 <= x <= n for x, n in pairs):
            what = f"not events out of {arms[study][0]} and {arms[study][1]} patients"
            yield Problem(study=study, value=str(events), what=what, fix="Check the counts.")
        elif None not in events and _possible(*arms[study], *events).size == 0:
            what = "no event in either arm, or nothing but events"
            fix = "Leave the trial out: such trials are not pooled."
            yield Problem(study=study, value=str(events), what=what, fix=fix)
