"""The frequentist steps of a bridge: from the publication's method to Hartung-Knapp."""

from dataclasses import dataclass

from bayesmeta.effects import Correction
from bayesmeta.frequentist import METHODS, PooledEstimate, pool
from bayesmeta.frequentist.rule import RANDOM_OR_FIXED, is_rule, parse_rule
from bayesmeta.frequentist.software import Software, meant_by, name_methods
from bayesmeta.published.row import PublishedRow
from bayesmeta.studies import StudyTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledSteps:
    """The frequentist steps: name, label and estimate of each.

    Attributes
    ----------
    taken : str
        Method of the publication, chosen by its rule if it has one.
    steps : tuple of (str, str, PooledEstimate)
    left_out : tuple of str
        Steps that would change nothing, with the reason.
    """

    taken: str
    steps: tuple[tuple[str, str, PooledEstimate], ...]
    left_out: tuple[str, ...]


def name_paper_method(
    method: str | None,
    published: PublishedRow | None,
    software: Software,
    fitting: tuple[str, ...],
) -> str:
    """Name the method of the publication, or its rule, by keys of `METHODS`."""
    printed = "fixed" if published is None else (published.model or "fixed")
    text = printed if method is None else method
    if text in RANDOM_OR_FIXED:
        return meant_by(software, fitting)[text]
    return name_methods(text, software, fitting)


def pool_steps(
    studies: StudyTable, measure: str, name: str, *, level: float, correction: Correction
) -> PooledSteps:
    """Pool by the publication's method, then change it step by step.

    Parameters
    ----------
    studies : StudyTable
    measure : str
    name : str
        A key of `METHODS`, or a rule that names such keys.
    level : float
    correction : str
        Zero-cell rule of the inverse-variance methods.
    """
    known = name in METHODS or is_rule(name)
    pair = _pair(name) if is_rule(name) else (name,)
    asked = [name, *(_weighted_form(one) for one in pair if known), "DL", "REML"]
    wald = pool(studies, measure, methods=asked, level=level, correction=correction, keep=True)
    knapp = pool(studies, measure, methods=["REML"], interval="hksj", level=level,
                 correction=correction, keep=True)  # fmt: skip
    rows, paper = dict(zip(wald.methods, wald, strict=True)), wald.rows[0]
    taken = next(one for one in pair if paper.label in (
        METHODS[one].label, f"{METHODS[one].label}, chosen by a rule"))  # fmt: skip
    steps, left_out, last = [("paper", f"{taken}, recomputed", paper)], [], taken
    if METHODS[taken].counts:
        last = _weighted_form(taken)
        steps.append(("inverse variance", f"{last}: inverse variance, not {taken}", rows[last]))
    else:
        left_out.append(f"inverse variance: {taken} weights by it already")
    if METHODS[last].common:
        steps.append(("random effects", "DL: random, not common effect", rows["DL"]))
        last = "DL"
    else:
        left_out.append(f"random effects: {taken} has them already")
    if last != "REML":
        steps.append(("REML", f"tau2 by REML, not {last}", rows["REML"]))
    else:
        left_out.append("REML: it is what the publication used")
    steps.append(("Hartung-Knapp", "Hartung-Knapp interval", knapp["REML"]))
    return PooledSteps(taken=taken, steps=tuple(steps), left_out=tuple(left_out))


def _pair(rule: str) -> tuple[str, str]:
    """Give the two methods of a rule."""
    parsed = parse_rule(rule, tuple(METHODS))
    return parsed.chosen, parsed.otherwise


def _weighted_form(method: str) -> str:
    """Name the inverse-variance method with the same effects and tau2."""
    if not METHODS[method].counts:
        return method
    if METHODS[method].common:
        return "EE"
    return "DL" if method == "DL-MH" else "ML"
