"""Run one benchmark by name, or all of them."""

import os
import sys
from collections.abc import Callable

from benchmarks.batch import bench_batch
from benchmarks.coverage import bench_coverage
from benchmarks.engines import bench_engines, bench_forms
from benchmarks.growth import bench_counts, bench_growth
from benchmarks.honesty import bench_honesty
from benchmarks.imports import bench_imports
from benchmarks.pictures import bench_pictures
from benchmarks.reference import bench_reference, bench_reml
from benchmarks.references import bench_references

BENCHMARKS: dict[str, Callable[[], None]] = {
    "batch": bench_batch,
    "counts": bench_counts,
    "coverage": bench_coverage,
    "engines": bench_engines,
    "forms": bench_forms,
    "growth": bench_growth,
    "honesty": bench_honesty,
    "imports": bench_imports,
    "pictures": bench_pictures,
    "reference": bench_reference,
    "references": bench_references,
    "reml": bench_reml,
}


def main(names: list[str]) -> None:
    """Run the benchmarks of the given names; all if none is given."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"No benchmark {', '.join(unknown)}. There are {', '.join(BENCHMARKS)}.")
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for name in names or [name for name in BENCHMARKS if name != "references"]:
        BENCHMARKS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
