"""The data sets and measures in tests/golden/metafor_pool.json."""

import numpy as np

CASES = [
    (name, measure)
    for name in ("bcg", "hine1989", "yusuf1985_table6", "nielweise2007")
    for measure in ("OR", "RR", "RD")
] + [
    ("normand1999", "MD"),
    ("normand1999", "SMD"),
    ("normand1999", "ROM"),
    ("raudenbush1985", "GEN"),
    ("nielweise2008", "IRR"),
    ("pritz1997", "PLO"),
    ("pritz1997", "PR"),
    ("pritz1997", "PFT"),
    ("molloy2014", "ZCOR"),
]

RANDOM = ("DL", "REML", "ML", "PM", "EB", "SJ", "HE", "HS")  # that metafor has too
ITERATED = ("REML", "ML", "PM", "EB")

TABLES = [case for case in CASES if case[1] in ("OR", "RR", "RD")]


def arrays(block):
    """Effects, variances and the design of one pooled effect."""
    y, v = np.array(block["yi"]), np.array(block["vi"])
    return y, v, np.ones((len(y), 1))
