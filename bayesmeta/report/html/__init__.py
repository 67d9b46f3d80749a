"""The report as a page: one self-contained file per comparison, and an index over all of them."""
