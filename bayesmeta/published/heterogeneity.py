"""What a published row tells of Cochran's Q."""

import math
from collections.abc import Callable

from scipy.special import chdtri

from bayesmeta.errors import Problem
from bayesmeta.printed import Printed
from bayesmeta.published.row import PublishedRow
from bayesmeta.published.weights import StudyWeights

type Interval = tuple[float, float]
type Found = tuple[bool, Interval | None, tuple[str, ...] | Problem]


def find_q(
    row: PublishedRow,
    weights: StudyWeights,
    se: Interval,
    *,
    common_variance: float | None,
    implied_q_p: Printed | None,
) -> Found:
    """Whether the row is one of random effects, the bounds of Q, and notes or what is wrong.

    Q, its p value and I2 say the same; where all of them can hold at once, they all do. tau2 (as
    DerSimonian and Laird's) and a known `common_variance` c stand in where these leave Q open.
    """
    k = weights.k
    printed = [name for name in ("q", "q_p", "i2", "tau2") if getattr(row, name) is not None]
    if k == 1:
        unused = f"{', '.join(printed)} cannot be used, for one study" if printed else ""
        return False, None, (unused,) if unused else ()
    q, notes = _combine(row, k)
    if q is None and row.tau2 is None and implied_q_p is not None:
        q = _from_p(implied_q_p, k - 1)
        notes = (f"Q is not printed: p of Q {implied_q_p.text} is taken from the paper's rule",)
    random, chosen = _choose_model(row, q, k)
    if isinstance(chosen, Problem):
        return random, None, chosen
    notes = (*notes, *chosen)
    if random and (q is None or math.isinf(q[1])):
        q, more = _close(row, weights, se, common_variance, q)
        notes = (*notes, *more)
        if q is not None and math.isinf(q[1]):
            if printed:
                return random, None, _open_problem(row, printed)
            q = None
    if q is None:
        notes = (*notes, _no_q_note(k, random=random))
    return random, q, notes


def _no_q_note(k: int, *, random: bool) -> str:
    text = f"nothing printed tells how much the {k} studies differ: tau keeps nearly its prior"
    if random:
        text += (
            "; the standard error, which contains the paper's tau2, stands for the sampling "
            "error alone, so that the interval of mu is on the wide side"
        )
    return text


def _combine(row: PublishedRow, k: int) -> tuple[Interval | None, tuple[str, ...]]:
    """Q from what is printed of Q, its p value and I2; the first alone where they disagree."""
    ways: dict[str, Callable[[Printed], Interval]] = {
        "q": lambda number: (max(number.low, 0.0), number.high),
        "q_p": lambda number: _from_p(number, k - 1),
        "i2": lambda number: _from_i2(number, k - 1),
    }
    found = {name: way(getattr(row, name)) for name, way in ways.items() if getattr(row, name)}
    if not found:
        return None, ()
    low, high = max(q[0] for q in found.values()), min(q[1] for q in found.values())
    if low <= high:
        return (low, max(high, low * (1 + 1e-12))), ()
    first = next(iter(found))
    return found[first], (
        f"{', '.join(found)} disagree about Q (I2 by another formula, or a misprint): "
        f"only {first} is used",
    )


def _from_p(p: Printed, df: int) -> Interval:
    """Q from its p value."""
    low, high = (min(max(end, 0.0), 1.0) for end in (p.low, p.high))
    return float(chdtri(df, high)), float(chdtri(df, low)) if low > 0 else math.inf


def _from_i2(i2: Printed, df: int) -> Interval:
    """Q from I2 = 100 (Q - df)/Q, cut at 0; Higgins and Thompson (2002)."""
    low, high = (df / (1 - share / 100) if share < 100 else math.inf for share in (i2.low, i2.high))
    return (low if i2.low > 0 else 0.0), high


def _choose_model(
    row: PublishedRow, q: Interval | None, k: int
) -> tuple[bool, tuple[str, ...] | Problem]:
    """Whether to read random effects; a row that does not say is fixed where it hardly matters."""
    if row.model is not None:
        return row.model == "random", ()
    if q is not None and q[1] > 1.5 * (k - 1):
        what = "not printed, and Q is so large that fixed and random rows mean different things"
        return False, Problem(column="model", what=what, fix='Give model, "fixed" or "random".')
    return False, ("fixed or random effects is not printed: read as a fixed-effect row",)


def _close(
    row: PublishedRow,
    weights: StudyWeights,
    se: Interval,
    c: float | None,
    q: Interval | None,
) -> tuple[Interval | None, tuple[str, ...]]:
    """Bounds of Q of a random row from tau2, or from the known c, where Q is open."""
    least = 0.0 if q is None else q[0]
    ways = []
    if row.tau2 is not None:
        ways.append((_from_tau2(row.tau2, weights, se), "tau2, read as DerSimonian and Laird's"))
    if c is not None:
        ways.append((_from_variance(c, weights, se), "the sizes and unit_sd"))
    for (low, high), source in ways:
        if max(low, least) < high < math.inf:
            return (max(low, least), high), (f"Q is worked out from {source}",)
    return q, ()


def _from_tau2(tau2: Printed, weights: StudyWeights, se: Interval) -> Interval:
    """Q from tau2/se^2, which is 0 at Q = k - 1 and increases with Q up to k."""
    df, middle = weights.k - 1, (0.5 * (se[0] + se[1])) ** 2

    def find(end: float) -> float:
        def excess(q: float) -> float:
            return (q - df) / weights.spread * float(weights.precision(q)) - end / middle

        return 0.0 if end <= 0 else _solve(excess, df)

    return find(tau2.low), find(tau2.high)


def _from_variance(c: float, weights: StudyWeights, se: Interval) -> Interval:
    """Q from c/se^2, which falls with Q from k - 1 on."""

    def find(end: float) -> float:
        return _solve(lambda q: c / end**2 - float(weights.precision(q)), weights.k - 1)

    return find(se[0]), find(se[1])


def _solve(rises: Callable[[float], float], df: int) -> float:
    """Q above df where an increasing function is 0; df if it is above 0 there, else infinite."""
    low, high = 0.0, 1e9 * df
    if rises(df + high) <= 0:
        return math.inf
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if rises(df + middle) > 0 else (middle, high)
    return df + 0.5 * (low + high)


def _open_problem(row: PublishedRow, printed: list[str]) -> Problem:
    name = printed[0]
    return Problem(
        column=name,
        value=getattr(row, name).text,
        what="Q of a random-effects row is open above, so that the studies' precision is unknown",
        fix="Give q, i2 or tau2, or the sizes of the studies with unit_sd.",
    )
