"""Effects as the design of their trials has them: clusters, and control arms that rows share."""

from dataclasses import replace

import numpy as np

from bayesmeta.effects.measure import BoolArray, Effects
from bayesmeta.errors import ModelError
from bayesmeta.studies.trial_design import TrialDesign


def with_trial_design(effects: Effects, design: TrialDesign) -> Effects:
    """Multiply variances by design effects, and correlate effects with one control arm.

    Parameters
    ----------
    effects : Effects
        As if every row were a trial of its own, persons randomised one by one.
    design : TrialDesign
        Study by study, in the same order.

    Returns
    -------
    Effects
        With a full `S` where effects are correlated; notes say what was done to which study.

    Raises
    ------
    ModelError
        Control arms that are shared whole, and a measure without a formula for the covariance.

    References
    ----------
    Higgins et al. (eds), Cochrane Handbook for Systematic Reviews of Interventions, 23.1.4 (an
    effective sample size of n over the design effect has the variance times the design effect)
    and 23.3.4 (shared arms).
    """
    told = list(design.told)
    notes = list(effects.notes)
    v = effects.S * design.design_effect
    S = v
    if design.clustered:
        clusters = design.design_effect != 1
        notes.append(
            "variances times the design effect of cluster trials: " + _named(effects, clusters)
        )
        told = [
            "; ".join(filter(None, (text, f"variance times {x:.3g}, clusters" if x != 1 else "")))
            for text, x in zip(told, design.design_effect, strict=True)
        ]
    shares = design.rows_of_control > 1
    if design.shared == "split" and shares.any():
        what = "control arm divided among the studies that share it"
        notes.append(f"{what}: {_named(effects, shares)}")
        told = _add(told, shares, what)
    if design.correlated:
        if effects.loadings is None:
            raise ModelError(
                f"{effects.measure.name} has no formula here for the covariance of effects that "
                "share a control arm. Read the table with shared='split', or use another measure"
            )
        scaled = effects.loadings * np.sqrt(design.design_effect)
        together = (design.control[:, None] == design.control) & ~np.eye(len(v), dtype=bool)
        S = np.diag(v) + np.where(together, scaled.T @ scaled, 0.0)
        what = "correlated with the effects that have the same control arm"
        notes.append(f"{what}: {_named(effects, shares)}")
        told = _add(told, shares, what)
    own = effects.row_notes or ("",) * len(told)
    joined = tuple("; ".join(filter(None, pair)) for pair in zip(told, own, strict=True))
    derived = np.array([bool(text) for text in design.told])
    if derived.any():
        notes.append(
            f"computed from numbers that were made, not reported: {_named(effects, derived)}"
        )
    return replace(effects, S=S, notes=tuple(notes), row_notes=joined)


def _named(effects: Effects, where: BoolArray) -> str:
    return ", ".join(study for study, chosen in zip(effects.study, where, strict=True) if chosen)


def _add(told: list[str], where: BoolArray, what: str) -> list[str]:
    return [
        "; ".join(filter(None, (text, what if chosen else "")))
        for text, chosen in zip(told, where, strict=True)
    ]
