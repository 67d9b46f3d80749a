"""The registry of priors, and the reader of their text."""

import ast
import difflib
from dataclasses import fields
from typing import Any, Never

from bayesmeta.errors import ModelError, Problem
from bayesmeta.priors.compound import OnTau2, Truncated
from bayesmeta.priors.line import Cauchy, Fixed, Flat, Normal, StudentT, Uniform
from bayesmeta.priors.positive import (
    Exponential,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
)
from bayesmeta.priors.protocol import Prior

PRIORS: dict[str, type[Any]] = {
    "normal": Normal,
    "student_t": StudentT,
    "cauchy": Cauchy,
    "flat": Flat,
    "fixed": Fixed,
    "uniform": Uniform,
    "half_normal": HalfNormal,
    "half_cauchy": HalfCauchy,
    "half_student_t": HalfStudentT,
    "exponential": Exponential,
    "log_normal": LogNormal,
    "inverse_gamma": InverseGamma,
    "truncated": Truncated,
    "on_tau2": OnTau2,
}


def parse_prior(text: str) -> Prior:
    """Read a prior from its text; nothing is evaluated.

    Parameters
    ----------
    text : str
        As in ``"truncated(normal(0, 1), 0, inf)"``; arguments may be named.

    Returns
    -------
    Prior

    Raises
    ------
    ModelError
        The text is not a prior; the message says which part is not, and what is known.

    Examples
    --------
    >>> parse_prior("half_normal(0.5)")
    HalfNormal(scale=0.5)
    >>> str(parse_prior("on_tau2(log_normal(-2.14, 1.74))"))
    'on_tau2(log_normal(-2.14, 1.74))'
    """
    try:
        node = ast.parse(str(text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        _refuse(text, "is not written as a prior", "Write it as in half_normal(0.5) or flat")
    prior = _read(node)
    if not isinstance(prior, Prior):
        _refuse(text, "is a number, not a prior", f"For a known value write fixed({text})")
    return prior


def _read(node: ast.expr) -> Any:
    """Give the prior or the number that a part of the text stands for."""
    match node:
        case ast.UnaryOp(
            op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant() | ast.Name(id="inf")
        ):
            number = _read(node.operand)
            return -number if isinstance(sign, ast.USub) else number
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id="inf" | "nan" as name):
            return float(name)
        case ast.Name(id=name):
            return _make(node, name, [], [])
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return _make(node, name, args, keywords)
    _refuse(ast.unparse(node), "is neither a number nor a known prior", "Nothing is computed")


def _make(node: ast.expr, name: str, args: list[ast.expr], named: list[ast.keyword]) -> Prior:
    if name not in PRIORS:
        near = difflib.get_close_matches(name.lower(), PRIORS, n=1)
        fix = f"Did you mean {near[0]}?" if near else f"Known priors: {', '.join(PRIORS)}"
        _refuse(name, "is not the name of a prior", fix)
    wanted = [field.name for field in fields(PRIORS[name])]
    given = [*wanted[: len(args)], *(keyword.arg or "**" for keyword in named)]
    if len(args) > len(wanted) or sorted(given) != sorted(wanted):
        signature = f"{name}({', '.join(wanted)})" if wanted else name
        _refuse(ast.unparse(node), f"does not have the arguments of {name}", f"Write {signature}")
    values = [_read(value) for value in (*args, *(keyword.value for keyword in named))]
    prior: Prior = PRIORS[name](**dict(zip(given, values, strict=True)))
    return prior


def _refuse(text: str, what: str, fix: str) -> Never:
    raise ModelError("A prior cannot be read", [Problem(value=repr(text), what=what, fix=fix)])
