"""Pooling of the counts themselves: Mantel-Haenszel, Peto, person-time."""
