"""Time candidates in turns, and print each as a ratio to a baseline."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

type Candidate = Callable[[], object]

_LEAST = 0.02  # seconds that one timing should last: short candidates are run several times in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds of each round of one candidate, and the same relative to the baseline's round."""

    name: str
    seconds: tuple[float, ...]
    ratios: tuple[float, ...]

    @property
    def typical(self) -> float:
        """Median seconds."""
        return median(self.seconds)

    @property
    def ratio(self) -> float:
        """Median of the ratios within rounds."""
        return median(self.ratios)


def compare(
    candidates: Mapping[str, Candidate], *, baseline: str, rounds: int
) -> dict[str, Timing]:
    """Time candidates in turns.

    Parameters
    ----------
    candidates : mapping
        Name to a call without arguments. Each is called once beforehand, untimed.
    baseline : str
        Name of the candidate that the others are divided by, round by round.
    rounds : int
        Times that every candidate takes its turn; the order is reversed in every second round.

    Returns
    -------
    dict of Timing
        By name, in the order of the candidates.
    """
    repeats = {name: _choose_repeats(run) for name, run in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds):
        names = list(candidates)
        for name in names if turn % 2 == 0 else reversed(names):
            seconds[name].append(_time(candidates[name], repeats[name]))
    return {
        name: Timing(
            name=name,
            seconds=tuple(times),
            ratios=tuple(t / b for t, b in zip(times, seconds[baseline], strict=True)),
        )
        for name, times in seconds.items()
    }


def show(title: str, timings: Mapping[str, Timing], *, baseline: str) -> None:
    """Print a table of ratios and milliseconds."""
    rounds = len(next(iter(timings.values())).seconds)
    width = max(map(len, [*timings, baseline]))
    print(f"\n{title} (median of {rounds} rounds in turns)")
    print(f"  {'':{width}}  {'ms':>10}   times {baseline}")
    for timing in timings.values():
        print(f"  {timing.name:{width}}  {1e3 * timing.typical:10.2f}   {timing.ratio:10.3g}")


def _choose_repeats(run: Candidate) -> int:
    run()
    once = _time(run, 1)
    return max(1, round(_LEAST / max(once, 1e-9)))


def _time(run: Candidate, repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - begin) / repeats
