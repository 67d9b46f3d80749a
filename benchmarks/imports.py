"""What ``import bayesmeta`` costs beside importing numpy and pandas, which it needs."""

import subprocess
import sys
from functools import partial

from benchmarks.harness import compare, show

BASELINE = "numpy, pandas"
_IMPORTS = {
    "nothing": "",
    BASELINE: "import numpy, pandas",
    "numpy, pandas, scipy.special": "import numpy, pandas, scipy.special",
    "bayesmeta": "import bayesmeta",
    "bayesmeta, all public names": "from bayesmeta import *",
    "bayesmeta, and a table pooled": "import bayesmeta as bm; bm.pool(bm.load('bcg'), 'OR')",
}


def bench_imports() -> None:
    """Print the time of a fresh interpreter with each import."""
    candidates = {name: partial(_run, line) for name, line in _IMPORTS.items()}
    timings = compare(candidates, baseline=BASELINE, rounds=15)
    show("Import in a fresh process", timings, baseline=BASELINE)


def _run(line: str) -> None:
    subprocess.run([sys.executable, "-c", line], check=True)
