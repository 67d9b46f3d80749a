"""The kept references of the random problems: `python -m benchmarks references` computes more."""

import csv
import math
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bayesmeta.errors import AccuracyError, ImproperPosteriorError
from bayesmeta.inference.propriety import find_tail_order
from bayesmeta.model import BoundModel
from benchmarks.random_problems import FAMILIES, draw_problem

KEPT = Path(__file__).parent.parent / "tests" / "golden" / "honesty"
PROBLEMS = 300
UNDECIDED = 1e-6
_FLOOR = 2e-11  # of an error: the share of a panel that may go unseen in both runs
NAMES = (
    "evidence", "mu < 0", "theta_new < 0",
    *(f"{name} {p}%" for name in ("mu", "tau", "theta_new") for p in ("2.5", "50", "97.5")),
    "mu mean", "mu sd", "tau mean", "tau sd", "theta_new sd",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Numbers of one problem with their own errors, by name; empty where the sums failed.

    Attributes
    ----------
    seed : int
    mark : float
        Of the data, by which a problem that is drawn differently is noticed.
    values, errors : dict
        In the units of the reported error: three times the differences of two runs, and a floor.
    """

    seed: int
    mark: float
    values: dict[str, float]
    errors: dict[str, float]

    @property
    def decided(self) -> bool:
        """Whether the sums know every number well enough to judge by it."""
        return bool(self.values) and max(self.errors.values()) <= UNDECIDED


def bench_references() -> None:
    """Compute what is not kept yet, and keep it: first few problems of few studies, then all."""
    for problems, most in ((12, 10), (30, 10), (60, 10), (100, 10), (200, 10), (PROBLEMS, 100)):
        for name in FAMILIES:
            extend(name, problems, most)


def extend(name: str, problems: int, most: int) -> None:
    """Compute references of the first problems of a family that have at most so many studies."""
    kept = {reference.seed: reference for reference in read(name)}
    begin, seed, seen, new = time.process_time(), -1, 0, 0
    while seen < problems:
        seed += 1
        bound = bind(name, seed)
        if bound is None:
            continue
        seen += 1
        if seed not in kept and len(bound.data.y) <= most:
            kept[seed] = compute(bound, seed)
            new += 1
            if new % 5 == 0:
                write(name, list(kept.values()))
    if new:
        write(name, list(kept.values()))
        print(f"{name}: {new} more, {time.process_time() - begin:.0f} s", flush=True)


def bind(name: str, seed: int) -> BoundModel | None:
    """Draw a problem of a family; None where its posterior is improper."""
    model, studies = draw_problem(name, seed)
    bound = model.bind(studies)
    try:
        find_tail_order(bound)
    except ImproperPosteriorError:
        return None
    return bound


def compute(bound: BoundModel, seed: int) -> Reference:
    """Compute the numbers of a problem twice, in two ways."""
    from benchmarks.brute_force import RULES, integrate

    moments = has_moments(bound)
    try:
        first, second = (
            integrate(bound, rule, moments=moments).summary(moments=moments) for rule in RULES
        )
    except (RuntimeError, ValueError, AccuracyError):
        return Reference(seed=seed, mark=mark(bound), values={}, errors={})
    values = {name: value for name, value in first.items() if not math.isnan(value)}
    errors = {
        name: 3 * abs(value - second[name]) / unit(name, first)
        + _FLOOR
        + rounding(name, bound, first)
        for name, value in values.items()
    }
    if any(math.isnan(error) for error in errors.values()):
        values, errors = {}, {}
    return Reference(seed=seed, mark=mark(bound), values=values, errors=errors)


def has_moments(bound: BoundModel) -> bool:
    """Tell whether moments are compared: the posterior falls fast enough for steady sums."""
    tails = find_tail_order(bound)
    return min(tails.of_tau, tails.of_mu) > 6


def unit(name: str, values: dict[str, float]) -> float:
    """Size of one unit of the reported error: a quarter of the interval, or tau, or an SD, or 1."""
    which = name.split()[0]
    if name.endswith("sd") or which == "tau":
        return abs(values[name])
    if name == "evidence" or name.endswith("< 0"):
        return 1.0
    return (values[f"{which} 97.5%"] - values[f"{which} 2.5%"]) / 4


def rounding(name: str, bound: BoundModel, values: dict[str, float]) -> float:
    """Tell what no computation in double precision can do better."""
    eps = float(np.finfo(float).eps)
    if name == "evidence":
        return 8 * eps * (1 + abs(values[name]))
    return 4 * eps * float(np.abs(bound.data.y).max()) / unit("mu 50%", values)


def mark(bound: BoundModel) -> float:
    """Give a number that tells this problem from another one."""
    k = np.arange(1, len(bound.data.y) + 1)
    data = float(np.sum(np.sin(k) * bound.data.y) + np.sum(np.cos(k) * np.log(bound.data.se)))
    model = f"{bound.model.effect} {bound.model.heterogeneity} {bound.model.likelihood}"
    return float(f"{data:.9g}") + zlib.crc32(model.encode()) % 1000


def read(name: str) -> list[Reference]:
    """Give the references that are kept of a family, in the order of their seeds."""
    path = _path(name)
    if not path.exists():
        return []
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    out = []
    for row in csv.DictReader(lines):
        values = {n: float(row[n]) for n in NAMES if row[n]}
        errors = {n: float(row[f"{n} error"]) for n in values}
        out.append(
            Reference(seed=int(row["seed"]), mark=float(row["mark"]), values=values, errors=errors)
        )
    return out


def write(name: str, references: list[Reference]) -> None:
    """Keep the references of a family."""
    KEPT.mkdir(parents=True, exist_ok=True)
    columns = ["seed", "mark", *(c for n in NAMES for c in (n, f"{n} error"))]
    lines = [
        f"# {name}: random problems of benchmarks/random_problems.py, integrated by "
        "benchmarks/brute_force.py;",
        "# errors are three times the differences of two runs with other nodes and maps, in the "
        "units of docs/methods/accuracy.md",
        ",".join(columns),
    ]
    for reference in sorted(references, key=lambda one: one.seed):
        cells = [str(reference.seed), f"{reference.mark:.9g}"]
        for n in NAMES:
            if n in reference.values:
                cells += [_digits(n, reference), f"{reference.errors[n]:.1e}"]
            else:
                cells += ["", ""]
        lines.append(",".join(cells))
    path = _path(name)
    path.with_suffix(".new").write_text("\n".join(lines) + "\n")
    path.with_suffix(".new").replace(path)


def _digits(name: str, reference: Reference) -> str:
    """Write a number with as many digits as its error asks for."""
    value, accepted = reference.values[name], reference.errors[name] * unit(name, reference.values)
    for digits in range(6, 18):
        text = f"{value:.{digits}g}"
        if abs(float(text) - value) <= 0.02 * accepted:
            break
    return text


def _path(name: str) -> Path:
    return KEPT / f"{name.replace(',', '').replace(' ', '_')}.csv"
