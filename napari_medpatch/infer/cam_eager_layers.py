"""Open an ordinary network at one of its modules, with a hook; needs torch when it is imported."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from napari_medpatch.infer.cam_layers import Layout, layout_of, positions
from napari_medpatch.infer.cam_names import no_map, unknown_layer

Outputs = dict[str, torch.Tensor]


class ModuleCut:
    """A network opened at the output of a module.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    layer : str
        As in ``model.named_modules()``.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        self.layer = layer
        self._model = model
        self._module = model.get_submodule(layer)

    def __call__(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See :class:`napari_medpatch.infer.cam_layers.Cut`."""
        kept: list[torch.Tensor] = []

        def take(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
            kept.append(output.detach().clone().requires_grad_(True))
            # A copy, because the next layer may work in place.
            return kept[-1].clone()

        handle = self._module.register_forward_hook(take)
        try:
            logits = self._model(batch)
        finally:
            handle.remove()
        return kept[-1], logits


def cut_module(model: nn.Module, batch: torch.Tensor, layer: str | None, name: str) -> ModuleCut:
    """Open a network at its last layer with positions, or at a named one.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    batch : Tensor
        Two or more examples.
    layer : str, optional
        Name of a module.
    name : str
        Of the model, for messages.

    Raises
    ------
    BundleError
        If no layer has positions, or the named one does not exist or has none.
    """
    outputs, logits = _traced(model, batch)
    layouts = {key: layout_of(value.shape, batch.shape) for key, value in outputs.items()}
    maps = [key for key, layout in layouts.items() if layout is not None]
    if layer is not None:
        if layer not in maps:
            shape = tuple(outputs[layer].shape) if layer in outputs else None
            raise unknown_layer(layer, maps, name, shape)
        return ModuleCut(model, layer)
    if not maps:
        raise no_map(name)
    return ModuleCut(model, _reaching(maps, layouts, outputs, logits))


def reaches_patches(gradient: torch.Tensor | None, layout: Layout) -> bool:
    """Whether a gradient is not zero at the image's positions.

    After the last attention only the class token of a vision transformer counts: the others have no
    gradient there, and the layer before that attention is the one to look at.
    """
    return gradient is not None and bool(positions(gradient, layout).abs().amax() > 0)


def mixed(logits: torch.Tensor) -> torch.Tensor:
    """Return a number that depends on every logit, to ask where gradients arrive."""
    return (logits * torch.linspace(1, 2, logits.shape[1], device=logits.device)).sum()


def _reaching(maps: Sequence[str], layouts: dict[str, Layout | None], outputs: Outputs, logits: torch.Tensor) -> str:
    """Return the last layer through which the logits depend on the positions."""
    last = maps[-1]
    score = mixed(logits)
    for key in reversed(maps):
        layout = layouts[key]
        if layout is None or outputs[key].shape != outputs[last].shape:
            continue
        (gradient,) = torch.autograd.grad(score, outputs[key], retain_graph=True, allow_unused=True)
        if reaches_patches(gradient, layout):
            return key
    return last


def _traced(model: nn.Module, batch: torch.Tensor) -> tuple[Outputs, torch.Tensor]:
    """Run a network and return what each module gave, in the order they ended, and the logits."""
    outputs: Outputs = {}
    with torch.enable_grad(), _watching(model, outputs):
        logits: torch.Tensor = model(batch.detach().clone().requires_grad_(True))
    return outputs, logits


@contextmanager
def _watching(model: nn.Module, outputs: Outputs) -> Iterator[None]:
    def keep(name: str) -> Any:
        def take(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                outputs.pop(name, None)
                outputs[name] = output

        return take

    handles = [module.register_forward_hook(keep(name)) for name, module in model.named_modules() if name]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
