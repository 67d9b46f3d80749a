"""Tables for the tests of small-study effects, selection and influence."""

import functools

import numpy as np
import pandas as pd
from frequentist.metafor_cases import CASES

from bayesmeta.studies import read_studies

FILLED = [
    (name, measure)
    for name, measure in CASES
    if (name, measure)
    in {
        ("bcg", "RR"), ("hine1989", "RR"), ("hine1989", "RD"), ("yusuf1985_table6", "OR"),
        ("yusuf1985_table6", "RR"), ("yusuf1985_table6", "RD"), ("nielweise2007", "OR"),
        ("nielweise2007", "RR"), ("nielweise2007", "RD"), ("raudenbush1985", "GEN"),
        ("pritz1997", "PLO"), ("pritz1997", "PR"), ("molloy2014", "ZCOR"),
    }
]  # fmt: skip


def contrasts(y, v, names=None):
    """A table of estimates and standard errors."""
    names = [f"study {i}" for i in range(1, len(y) + 1)] if names is None else names
    return read_studies(pd.DataFrame({"study": names, "estimate": y, "se": np.sqrt(v)}))


def counts(cells):
    """A table of counts from columns ai, bi, ci, di or ai, n1i, ci, n2i."""
    columns = {key: cells[key] for key in ("ai", "bi", "n1i", "ci", "di", "n2i") if key in cells}
    names = [f"study {i}" for i in range(1, len(columns["ai"]) + 1)]
    return read_studies(pd.DataFrame({"study": names, **columns}))


@functools.cache
def read(golden, name):
    """A golden file, read once."""
    return golden(name)


def arrays(golden, name, measure):
    """Effects and variances of a golden case."""
    block = read(golden, "metafor_pool")[name][measure]
    return np.array(block["yi"]), np.array(block["vi"])


def case(golden, name, measure):
    """The contrasts of a golden case, and what metafor says of it."""
    y, v = arrays(golden, name, measure)
    return contrasts(y, v), read(golden, "metafor_trouble")[name][measure]
