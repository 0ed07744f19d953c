"""Open a TorchScript model at one value of its graph; needs torch when it is imported.

Python hooks do not fire inside a traced or scripted graph. So the graph, with all calls inlined, is copied
twice: one copy ends at the wanted value, the other takes that value as a second input.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.cam_eager_layers import mixed, reaches_patches
from napari_medpatch.infer.cam_layers import Layout, layout_of
from napari_medpatch.infer.cam_names import no_map, unknown_layer

Graph = Any
_TOLERANCE = 1e-3
"""Largest difference of logits between the model and its two parts, relative to the largest logit."""


class ValueCut:
    """A graph opened at the output of one of its nodes.

    Parameters
    ----------
    graph : torch.Graph
        One input, one output, weights as constants.
    node : int
        Which of its nodes.
    layer : str
        What it is called.
    """

    def __init__(self, graph: Graph, node: int, layer: str) -> None:
        self.layer = layer
        self._before, self._after = _until(graph, node), _since(graph, node)

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`napari_medpatch.infer.cam_layers.Cut`."""
        with torch.no_grad(), _steadily():
            activation = self._before(batch)
        leaf = activation.detach().clone().requires_grad_(True)
        # A copy, because the next operation may work in place.
        with _steadily():
            return leaf, self._after(batch, leaf.clone())


def cut_script(model: Any, batch: torch.Tensor, layer: str | None, name: str) -> ValueCut:
    """Open a TorchScript model at its last value with positions, or at the end of a named module.

    Parameters
    ----------
    model : torch.jit.ScriptModule
        In evaluation mode.
    batch : Tensor
        Two or more examples.
    layer : str, optional
        Path of a module, as it was called when the model was written.
    name : str
        Of the model, for messages.

    Raises
    ------
    BundleError
        If the graph cannot be opened, has no value with positions, or no such layer.
    """
    graph = _graph(model, name)
    try:
        values = _values(graph, batch)
    except RuntimeError as error:  # for example a batch size that was fixed when the model was traced
        raise _cannot_open(name) from error
    shapes = {index: tuple(value.shape) for index, value in values.items()}
    maps = {index: layout for index, shape in shapes.items() if (layout := layout_of(shape, batch.shape)) is not None}
    ends = _layer_ends(graph)
    if layer is not None:
        index = ends.get(layer)
        if index is None or index not in maps:
            known = [key for key, value in ends.items() if value in maps]
            raise unknown_layer(layer, known, name, shapes.get(index) if index is not None else None)
        return _checked(ValueCut(graph, index, layer), model, batch, name)
    last = _last_map(graph, maps)
    if last is None:
        raise no_map(name)
    index = _reaching(graph, last, maps, values, batch)
    return _checked(ValueCut(graph, index, _name_of(index, ends)), model, batch, name)


def _graph(model: Any, name: str) -> Graph:
    """Return the inlined graph with weights as constants and the image as its only input."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = torch.jit.freeze(model.eval(), optimize_numerics=False).graph.copy()
    except RuntimeError as error:
        raise _cannot_open(name) from error
    inputs = list(graph.inputs())
    if len(inputs) != 2 or inputs[0].uses() or len(list(graph.outputs())) != 1:
        raise _cannot_open(name)
    graph.eraseInput(0)
    return graph


def _until(graph: Graph, node: int) -> Any:
    """Return the part of a graph up to a node; what follows is removed, since it may work in place."""
    part = graph.copy()
    nodes = list(part.nodes())
    part.eraseOutput(0)
    for later in reversed(nodes[node + 1 :]):
        later.destroy()
    part.registerOutput(nodes[node].output())
    return _function(part)


def _since(graph: Graph, node: int) -> Any:
    """Return a graph that takes the output of a node as its second input."""
    part = graph.copy()
    value = list(part.nodes())[node].output()
    value.replaceAllUsesWith(part.addInput("activation"))
    return _function(part)


def _function(graph: Graph) -> Any:
    torch._C._jit_pass_dce(graph)
    return torch._C._create_function_from_graph("forward", graph)


def _steadily() -> AbstractContextManager[None]:
    """Keep TorchScript's profiler off, which compiles anew for the first batches."""
    steady: AbstractContextManager[None] = torch.jit.optimized_execution(False)  # type: ignore[attr-defined]
    return steady


def _tensors(graph: Graph) -> Iterator[tuple[int, Any]]:
    """Yield number and node of all that computes one tensor."""
    for index, node in enumerate(graph.nodes()):
        if node.kind() != "prim::Constant" and node.outputsSize() == 1 and str(node.output().type()) == "Tensor":
            yield index, node


def _values(graph: Graph, batch: torch.Tensor) -> dict[int, torch.Tensor]:
    """Run a graph and return what each node computes; a later operation may have worked on it in place."""
    probe = graph.copy()
    probe.eraseOutput(0)
    nodes = dict(_tensors(probe))
    for node in nodes.values():
        probe.registerOutput(node.output())
    probe.makeMultiOutputIntoTuple()
    with torch.no_grad(), _steadily():
        values = torch._C._create_function_from_graph("forward", probe)(batch)
    return dict(zip(nodes, values, strict=True))


def _last_map(graph: Graph, maps: dict[int, Layout]) -> int | None:
    """Go back from the logits until values have positions; return the latest of those."""
    numbers = {value.debugName(): index for index, node in enumerate(graph.nodes()) for value in node.outputs()}
    waiting, seen, found = [next(iter(graph.outputs()))], set(), []
    while waiting:
        name = (value := waiting.pop()).debugName()
        if name in seen or name not in numbers:
            continue
        seen.add(name)
        if numbers[name] in maps:
            found.append(numbers[name])
        else:
            waiting.extend(value.node().inputs())
    return max(found, default=None)


def _reaching(
    graph: Graph, last: int, maps: dict[int, Layout], values: dict[int, torch.Tensor], batch: torch.Tensor
) -> int:
    """Return the last value through which the logits depend on the positions."""
    alike = (index for index in maps if index <= last and values[index].shape == values[last].shape)
    for index in sorted(alike, reverse=True):
        with torch.enable_grad(), _steadily():
            leaf = values[index].clone().requires_grad_(True)
            logits = _since(graph, index)(batch, leaf.clone())
            if not logits.requires_grad:
                continue
            (gradient,) = torch.autograd.grad(mixed(logits), leaf, allow_unused=True)
        if reaches_patches(gradient, maps[index]):
            return index
    return last


def _layer_ends(graph: Graph) -> dict[str, int]:
    """Return the number of the last node of each module, by the module's path."""
    ends: dict[str, int] = {}
    for index, node in _tensors(graph):
        # For example "SELF(ResNet).layer4(Sequential).1(BasicBlock).act2(ReLU)".
        path = re.sub(r"\([^()]*\)", "", node.getModuleHierarchy()).split(".")
        path = [part for part in path if part and part not in ("SELF", "UNKNOWN_INSTANCE")]
        for length in range(1, len(path) + 1):
            key = ".".join(path[:length])
            ends.pop(key, None)
            ends[key] = index
    return ends


def _name_of(index: int, ends: dict[str, int]) -> str:
    """Return the shortest path of a module that ends at a node."""
    names: Sequence[str] = [name for name, end in ends.items() if end == index]
    return min(names, key=len, default=f"operation {index}")


def _checked(cut: ValueCut, model: Any, batch: torch.Tensor, name: str) -> ValueCut:
    """Make sure that the two parts together are the model."""
    with torch.no_grad(), _steadily():
        whole, (_, parts) = model(batch), cut(batch)
    if (whole - parts).abs().amax() > _TOLERANCE * max(1.0, float(whole.abs().amax())):
        raise _cannot_open(name)
    return cut


def _cannot_open(name: str) -> BundleError:
    return BundleError(
        f"The TorchScript file of {name} cannot be opened at a layer, so Grad-CAM cannot be drawn; "
        "use the bundle with model.safetensors, or another model."
    )
