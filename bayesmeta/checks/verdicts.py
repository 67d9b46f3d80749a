"""What was found of each road to a model's posterior, as sentences."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bayesmeta.checks.agreement import LIMIT, Agreement
from bayesmeta.inference.posterior import Accuracy, Diagnostics, Posterior
from bayesmeta.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check found.

    Attributes
    ----------
    subject : str
        What was checked, such as "NUTS (normal)".
    ok : bool
        Whether it passed.
    text : str
        The finding, as a sentence.
    """

    subject: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckedModel:
    """One model fitted by two roads.

    Attributes
    ----------
    name : str
        The likelihood's name, numbered where several models have the same.
    model : Model
    exact, nuts : Posterior or None
        None where the road was not asked for, or could not be taken.
    agreement : Agreement or None
        Of the two, where both are there.
    failures : dict
        Road ("exact", "nuts") to the reason why it could not be taken.
    """

    name: str
    model: Model
    exact: Posterior | None
    nuts: Posterior | None
    agreement: Agreement | None
    failures: Mapping[str, str]


def judge(one: CheckedModel) -> Iterator[Verdict]:
    """Judge the roads that were taken, and those that could not be."""
    exact, nuts = f"exact ({one.name})", f"NUTS ({one.name})"
    for road, reason in one.failures.items():
        yield Verdict(subject=exact if road == "exact" else nuts, ok=False, text=reason)
    if one.exact is not None and isinstance(one.exact.accuracy, Accuracy):
        accuracy = one.exact.accuracy
        text = f"numerical error {accuracy.error:.0e}, tolerance {accuracy.tol:.0e}"
        yield Verdict(subject=exact, ok=accuracy.ok, text=text)
    if one.nuts is not None and isinstance(one.nuts.accuracy, Diagnostics):
        failures = one.nuts.accuracy.failures
        text = "; ".join(failures) if failures else "diagnostics passed"
        yield Verdict(subject=nuts, ok=not failures, text=text)
    if one.agreement is not None:
        yield _judge_agreement(one.agreement, nuts)


def _judge_agreement(agreement: Agreement, subject: str) -> Verdict:
    worst = agreement.largest
    statistic = "SD" if worst.statistic == "sd" else worst.statistic
    away, where = (
        f"{abs(worst.z):.1f} Monte Carlo standard errors",
        f"{statistic} of {worst.parameter}",
    )
    if agreement.ok:
        return Verdict(subject=subject, ok=True, text=f"at most {away} from exact ({where})")
    text = f"disagrees with exact by {away} ({where}); the limit is {LIMIT:g}"
    return Verdict(subject=subject, ok=False, text=text)
