"""Find the segmentation among what a network from elsewhere returns, check it, and make logits of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.network_facts import NetworkFacts

if TYPE_CHECKING:
    import torch

    from napari_medpatch.models.card import ModelCard

_NAMES = ("out", "logits", "pred", "seg", "segmentation")
_LEAST = 1e-6


def main_output(outputs: Any, spatial: int, facts: NetworkFacts, name: str) -> "torch.Tensor":
    """Return the segmentation among a network's outputs.

    Parameters
    ----------
    outputs : Tensor, sequence or mapping
        Of a sequence the first counts (the full resolution of deep supervision), of a mapping the entry that
        the card names, or one called out, logits, pred, seg, or the first.
    spatial : int
        Number of spatial axes. A tensor with an axis more is a stack of deep supervision ``(N, D, K, …)``.
    facts : NetworkFacts
        Of the model.
    name : str
        The model's, for the error.
    """
    import torch

    found = outputs
    while not isinstance(found, torch.Tensor):
        if isinstance(found, Mapping) and found:
            found = found[_entry(found, facts.output_name, name)]
        elif isinstance(found, list | tuple) and found:
            found = found[0]
        else:
            raise BundleError(f"Model {name} returns {type(found).__name__} where a tensor is needed.")
    return found[:, 0] if found.ndim == spatial + 3 else found


def check_output(output: "torch.Tensor", shape: tuple[int, ...], channels: int, card: "ModelCard") -> None:
    """Refuse an output that does not fit the card.

    Parameters
    ----------
    output : Tensor
        ``(N, K, *spatial)``.
    shape : tuple of int
        Of the input, ``(N, C, *spatial)``.
    channels : int
        Wanted K.
    card : ModelCard
        Of the model.

    Raises
    ------
    BundleError
        If channels or shape differ, or values are not numbers.
    """
    found, inputs = tuple(output.shape), shape[1:]
    if len(found) != len(shape) or found[0] != shape[0] or found[2:] != shape[2:]:
        raise BundleError(
            f"Model {card.name} gives an output of {_by(found[1:])} for an input of {_by(inputs)}; it must have the "
            "input's spatial shape."
        )
    if found[1] != channels:
        names = list(card.class_names if channels == card.num_classes else card.class_names[1:])
        raise BundleError(
            f"Model {card.name} gives {found[1]} channels, but its config.json names {channels}: {', '.join(names)}."
        )
    if not output.is_floating_point() or not bool(output.isfinite().all()):
        raise BundleError(
            f"Model {card.name} gives values that are not finite numbers; check the intensity in its config.json."
        )


def to_logits(outputs: "torch.Tensor", facts: NetworkFacts) -> "torch.Tensor":
    """Return logits whose differences to the first, the background's, say which class is there.

    Parameters
    ----------
    outputs : Tensor
        ``(K, *spatial)`` float32, blended or of one pass.
    facts : NetworkFacts
        What they are.

    Returns
    -------
    Tensor
        ``(classes, *spatial)``. Of overlapping classes, each one's own logit against a background of 0.
    """
    import torch

    if facts.output == "probabilities":
        outputs = outputs.clamp(_LEAST, 1 - _LEAST)
        outputs = outputs.logit() if facts.multi_label else outputs.log()
    if not facts.multi_label:
        return outputs
    own = outputs[1:] if facts.background else outputs
    return torch.cat([torch.zeros_like(own[:1]), own])


def _entry(outputs: Mapping[Any, Any], wanted: str | None, name: str) -> Any:
    if wanted is not None:
        if wanted not in outputs:
            raise BundleError(f"Model {name} has the outputs {list(outputs)}, not {wanted!r}; mend its config.json.")
        return wanted
    return next((key for key in _NAMES if key in outputs), next(iter(outputs)))


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(str(n) for n in shape)
