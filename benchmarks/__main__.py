"""Run one benchmark by name, or all of them."""

import os
import sys
from collections.abc import Callable

from benchmarks.engines import bench_engines
from benchmarks.growth import bench_growth
from benchmarks.imports import bench_imports
from benchmarks.reference import bench_reference, bench_reml

BENCHMARKS: dict[str, Callable[[], None]] = {
    "engines": bench_engines,
    "growth": bench_growth,
    "imports": bench_imports,
    "reference": bench_reference,
    "reml": bench_reml,
}


def main(names: list[str]) -> None:
    """Run the benchmarks of the given names; all if none is given."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}. There are {', '.join(BENCHMARKS)}.")
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name in names or BENCHMARKS:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
