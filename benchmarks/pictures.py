"""What a forest plot of 13 studies costs: to make it, and to write it as PNG, SVG and PDF."""

from functools import partial
from io import BytesIO

import bayesmeta as bm
from bayesmeta.checks.crosscheck import CrossCheck
from bayesmeta.plots.figures import without_pyplot
from benchmarks.harness import compare, show

BASELINE = "made"


def bench_pictures() -> None:
    """Print the time of a forest plot, by itself and with the file."""
    model = bm.Model(
        measure="OR",
        likelihood=bm.NormalLikelihood(),
        effect=bm.Normal(0, 2.82),
        heterogeneity=bm.HalfNormal(0.5),
    )
    result = bm.crosscheck(model, bm.load("bcg"), nuts=False)
    candidates = {BASELINE: partial(_draw, result)}
    for kind in ("png", "svg", "pdf"):
        candidates[f"made and written, {kind}"] = partial(_draw, result, kind)
    show("Forest plot of 13 studies", compare(candidates, baseline=BASELINE, rounds=9),
         baseline=BASELINE)  # fmt: skip


def _draw(result: CrossCheck, kind: str = "") -> None:
    with without_pyplot():
        figure = bm.plots.forest(result).get_figure(root=True)
    if figure is not None and kind:
        figure.savefig(BytesIO(), format=kind)
