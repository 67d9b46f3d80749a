"""Relative tolerances, named once; changing one needs a reason in the commit."""

CLOSED = 1e-10  # closed forms, against another program
ITERATIVE = 1e-6  # fits that iterate there or here: as far as the other program converged
EXACT = 1e-8  # posteriors by quadrature, against another quadrature
