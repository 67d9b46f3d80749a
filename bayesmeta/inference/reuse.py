"""Compiled models that serve again: one for all models that differ in their studies' numbers only.

Compiling costs seconds, sampling tenths of one. A PyMC model is brought to a form in which every
constant array with a value for each study is a part of one shared vector; two models whose graphs
are then the same, operation by operation and constant by constant, share one compiled function,
and only the vector is exchanged. The comparison is of the graphs themselves, so that nothing needs
to be known of likelihoods and priors; another number of studies is another graph.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.scales import FloatArray

if TYPE_CHECKING:
    import pymc as pm

_KEPT = 32  # compiled models; the one not used for longest goes first
_NAME = "study_numbers"

_compiled: "OrderedDict[tuple[Any, ...], Any]" = OrderedDict()


def compile_once(model: "pm.Model", starts: Mapping[str, FloatArray]) -> Any:
    """Compile a model for nutpie, or give the numbers to one that was compiled before.

    Parameters
    ----------
    model : pm.Model
        With a coordinate `study`.
    starts : mapping
        Where variables begin, by name.

    Returns
    -------
    nutpie.CompiledModel
        It draws as a model compiled for itself does; the coordinates may be those of the first.
    """
    import nutpie

    lifted, numbers = lift_constants(model, len(model.coords["study"]))
    key = _identify(lifted, starts)
    if key not in _compiled:
        _compiled[key] = nutpie.compile_pymc_model(
            lifted, freeze_model=False, initial_points=dict(starts)
        )
        if len(_compiled) > _KEPT:
            _compiled.popitem(last=False)
    _compiled.move_to_end(key)
    return _compiled[key].with_data(**{_NAME: numbers}) if len(numbers) else _compiled[key]


def lift_constants(model: "pm.Model", k: int) -> "tuple[pm.Model, FloatArray]":
    """Move constant arrays with a dimension of length `k` into one shared vector, and give it.

    One, because the time to compile grows fast with their number. Each part keeps its known shape,
    by which that of a single study broadcasts.
    """
    from pymc.model.fgraph import fgraph_from_model, model_from_fgraph
    from pytensor.compile.sharedvalue import shared as make_shared

    graph, _ = fgraph_from_model(model)
    found = [v for v in _walk(graph.outputs) if _is_constant(v) and k in v.type.shape]
    ends = np.cumsum([0, *(v.data.size for v in found)])
    numbers = np.concatenate([np.empty(0), *(v.data.reshape(-1) for v in found)])
    shared: Any = make_shared(numbers, name=_NAME, shape=numbers.shape)  # type: ignore[no-untyped-call]
    parts = []
    for variable, low, high in zip(found, ends, ends[1:], strict=False):
        part = shared[low:high]
        part = part if variable.type.ndim == 1 else part.reshape(variable.type.shape)
        parts.append(part if part.dtype == variable.dtype else part.astype(variable.dtype))
    graph.replace_all(list(zip(found, parts, strict=True)), import_missing=True)
    return model_from_fgraph(graph, mutate_fgraph=True), numbers


def _identify(model: "pm.Model", starts: Mapping[str, FloatArray]) -> tuple[Any, ...]:
    """Describe the density of a model, and what is made of a draw, as a hashable tree."""
    outputs = [model.logp(), *model.replace_rvs_by_values(model.deterministics)]
    order = _walk(outputs)
    position = {variable: i for i, variable in enumerate(order)}
    parts: list[tuple[Any, ...]] = [(name, float(start)) for name, start in starts.items()]
    parts.append(tuple(variable.name for variable in model.deterministics))
    for variable in order:
        if _is_constant(variable):
            value = np.asarray(variable.data)
            parts.append((variable.type, value.shape, value.tobytes()))
        elif hasattr(variable, "data"):
            parts.append((variable.type, repr(variable.data)))
        elif variable.owner is None:
            parts.append((variable.type, variable.name))
        else:
            node = variable.owner
            inputs = tuple(position[x] for x in node.inputs)
            parts.append((node.op, node.outputs.index(variable), variable.type, inputs))
    return tuple(parts)


def _walk(outputs: Iterable[Any]) -> list[Any]:
    """Give all variables behind the outputs, inputs first, in an order that the graph fixes."""
    seen: set[Any] = set()
    order: list[Any] = []
    stack = [(variable, False) for variable in reversed(list(outputs))]
    while stack:
        variable, complete = stack.pop()
        if complete:
            order.append(variable)
        elif variable not in seen:
            seen.add(variable)
            stack.append((variable, True))
            if variable.owner is not None:
                stack.extend((x, False) for x in reversed(variable.owner.inputs))
    return order


def _is_constant(variable: Any) -> bool:
    from pytensor.tensor.variable import TensorConstant

    return isinstance(variable, TensorConstant)
