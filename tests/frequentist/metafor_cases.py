"""The data sets and measures in tests/golden/metafor_pool.json."""

import numpy as np

CASES = [
    (name, measure)
    for name in ("bcg", "hine1989", "yusuf1985_table6", "nielweise2007")
    for measure in ("OR", "RR", "RD")
] + [("normand1999", "MD"), ("raudenbush1985", "GEN")]

TABLES = [case for case in CASES if case[1] in ("OR", "RR", "RD")]


def arrays(block):
    """Effects, variances and the design of one pooled effect."""
    y, v = np.array(block["yi"]), np.array(block["vi"])
    return y, v, np.ones((len(y), 1))
