"""Study tables made of plain numbers."""

import numpy as np
import pandas as pd

from bayesmeta.studies import read_studies


def table(rows, columns=("ai", "bi", "ci", "di")):
    """A table from rows of numbers, studies named in order."""
    names = [f"study {i}" for i in range(1, len(rows) + 1)]
    cells = {cell: [row[i] for row in rows] for i, cell in enumerate(columns)}
    return read_studies(pd.DataFrame({"study": names, **cells}))


def contrasts(y, v):
    """A table of estimates and standard errors."""
    return table(list(zip(y, np.sqrt(v), strict=True)), ("estimate", "se"))
