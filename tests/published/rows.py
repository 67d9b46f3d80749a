"""Published rows as tests write them."""

import numpy as np
from scipy import stats

import bayesmeta as bm

RATIOS = ("OR", "RR", "IRR", "ROM")


def as_row(model, estimate, ci=None, *, k=None, **printed):
    """A row from texts as printed."""
    numbers = {name: bm.Printed.parse(text) for name, text in printed.items()}
    limits = None if ci is None else (bm.Printed.parse(ci[0]), bm.Printed.parse(ci[1]))
    return bm.PublishedRow(
        model=model, estimate=bm.Printed.parse(estimate), ci=limits, k=k, **numbers
    )


def as_model(measure="OR", *, effect=None, heterogeneity=None):
    """A model with the usual priors of log ratios."""
    return bm.Model(
        measure=measure,
        likelihood=bm.NormalLikelihood(),
        effect=effect or bm.Normal(0, 2.82),
        heterogeneity=heterogeneity or bm.HalfNormal(0.5),
    )


def exact_row(model, y, v):
    """The row of a difference that prints all digits of a pooled analysis of y (study,)."""
    (m, se), q = pool(y, v, model)
    z = stats.norm.isf(0.025)
    limits = [f"{end:.17g}" for end in (m - z * se, m + z * se)]
    return as_row(model, f"{m:.17g}", limits, k=len(y), q=f"{q:.17g}")


def pool(y, v, model):
    """Inverse-variance or DerSimonian-Laird estimate and SE, and Q."""
    w = 1 / v
    m = w @ y / w.sum()
    q = w @ (y - m) ** 2
    if model == "random":
        tau2 = max(0.0, (q - len(y) + 1) / (w.sum() - (w**2).sum() / w.sum()))
        w = 1 / (v + tau2)
    return (w @ y / w.sum(), w.sum() ** -0.5), q


def printed_row(model, effects):
    """The row as a paper prints it: two decimals, or two digits of the SE; p of Q and whole I2."""
    y, v = np.array(effects["yi"]), np.array(effects["vi"])
    (m, se), q = pool(y, v, model)
    df, measure = len(y) - 1, effects["measure"]
    scale = bm.MEASURES[measure].scale
    ends = scale.to_natural(m + stats.norm.isf(0.025) * se * np.array([0.0, -1.0, 1.0]))
    natural = scale.name == "identity"
    decimals = max(2, 1 - int(np.floor(np.log10(se)))) if natural else 2
    estimate, *ci = (f"{end:.{decimals}f}" for end in ends)
    p = stats.chi2.sf(q, df)
    q_p = "<0.0001" if p < 1e-4 else f"{p:.2g}" if p < 0.1 else f"{p:.2f}"
    i2 = f"{max(0.0, 100 * (q - df) / q):.0f}"
    return as_row(model, estimate, ci, k=len(y), q_p=q_p, i2=i2), q / df
