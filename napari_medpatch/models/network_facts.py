"""What a job must know about a segmentation network besides its layers: cuts, axes, outputs.

These are keys of the card's ``network``, for networks from elsewhere and for our own U-Net alike. Where an
order of axes matters it is the array's, ``(z, y, x)`` or ``(y, x)``, whatever order the network wants.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.axes import axis_moves, own_axes

if TYPE_CHECKING:
    from napari_medpatch.models.card import ModelCard

_DEFAULT_WINDOW = 96
_DEFAULT_MULTIPLE = {2: 32, 3: 16}
_CHOICES = {
    "blend": ("gaussian", "constant"),
    "activation": ("softmax", "sigmoid"),
    "output": ("logits", "probabilities"),
    "layout": ("channels_first", "channels_last"),
}


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """How to feed a segmentation network and read its answer.

    Parameters
    ----------
    window : tuple of int, optional
        Edges of what the network sees at once; 0 is the whole image along that axis, rounded up to
        ``multiple``. None lets the job choose.
    overlap : float
        Share of a window that the next one sees too.
    blend : str
        Weight of overlapping windows: ``"gaussian"`` or ``"constant"``.
    receptive_radius : tuple of int, optional
        How far an output looks to each side through the convolutions. Given, the network is cut exactly;
        None, it is blended from windows.
    multiple : tuple of int, optional
        Edges that the network takes are multiples of this.
    orientation : str, optional
        Direction in which each axis of the network's input grows, such as ``"RAS"``; None is this program's
        own order, ``"SPL"`` (z, y, x).
    activation : str
        ``"softmax"`` for classes that exclude each other, ``"sigmoid"`` for classes that may overlap.
    output : str
        ``"logits"``, or ``"probabilities"`` if the network ends with its activation.
    background : bool
        Whether the first output channel is the background.
    priority : tuple of str
        Overlapping classes, the one to keep first; by default the most probable one is kept.
    layout : str
        ``"channels_first"`` or ``"channels_last"``, of input and output.
    output_name : str, optional
        Which entry of a dictionary of outputs is the segmentation.
    """

    window: tuple[int, ...] | None = None
    overlap: float = 0.5
    blend: str = "gaussian"
    receptive_radius: tuple[int, ...] | None = None
    multiple: tuple[int, ...] | None = None
    orientation: str | None = None
    activation: str = "softmax"
    output: str = "logits"
    background: bool = True
    priority: tuple[str, ...] = ()
    layout: str = "channels_first"
    output_name: str | None = None

    @property
    def multi_label(self) -> bool:
        """Whether classes may overlap."""
        return self.activation == "sigmoid"

    def window_for(self, dimensions: int) -> tuple[int, ...]:
        """Return the window of a 2D or 3D network; 96³ voxels, or whole slices, where none is given."""
        if self.window is not None:
            return self.window
        edge = _DEFAULT_WINDOW if dimensions == 3 else 0
        return tuple(math.ceil(edge / m) * m for m in self.multiple_for(dimensions))

    def multiple_for(self, dimensions: int) -> tuple[int, ...]:
        """Return ``multiple``; 16 voxels or 32 pixels suit nearly all networks and are taken if nothing is said."""
        return self.multiple if self.multiple is not None else (_DEFAULT_MULTIPLE[dimensions],) * dimensions


NETWORK_KEYS = frozenset(field.name for field in fields(NetworkFacts))


def network_facts(card: "ModelCard") -> NetworkFacts:
    """Read the facts from a card.

    Parameters
    ----------
    card : ModelCard
        A segmentation model.

    Raises
    ------
    BundleError
        If one of them makes no sense; the sentence names it.
    """
    given = {key: value for key, value in card.network.items() if key in NETWORK_KEYS and value is not None}
    for key, allowed in _CHOICES.items():
        if given.get(key, allowed[0]) not in allowed:
            raise _wrong(card, key, given[key], f"{allowed[0]!r} or {allowed[1]!r}")
    for key, least in (("window", 0), ("receptive_radius", 0), ("multiple", 1)):
        if key in given:
            given[key] = _whole_numbers(card, key, given[key], least)
    overlap = given.get("overlap", 0.5)
    if not _is_number(overlap) or not 0 <= overlap < 1:
        raise _wrong(card, "overlap", overlap, "a number from 0 to below 1")
    given.setdefault("background", given.get("activation", "softmax") == "softmax")
    if not isinstance(given["background"], bool):
        raise _wrong(card, "background", given["background"], "true or false")
    if not given["background"] and given.get("activation", "softmax") == "softmax":
        raise _wrong(card, "background", False, "true, or its activation 'sigmoid'")
    if "orientation" in given:
        _check_orientation(card, given["orientation"])
    given["priority"] = _priority(card, given.get("priority", ()))
    return NetworkFacts(**given)


def _check_orientation(card: "ModelCard", orientation: Any) -> None:
    own = own_axes(card.slice_axis if card.dimensions == 2 else None)
    try:
        axis_moves(own, str(orientation))
    except BundleError as error:
        raise _wrong(card, "orientation", orientation, f"letters for the axes of {own}, such as RAS") from error


def check_foreign(card: "ModelCard") -> None:
    """Refuse what a network from elsewhere must not leave open.

    Raises
    ------
    BundleError
        If the first class is not the background, or ``network`` has a key that means nothing.
    """
    if not card.class_names or card.class_names[0].casefold() != "background":
        raise BundleError(
            f"config.json of {card.name} names the classes {list(card.class_names)}; the first must be 'background', "
            "also where the network has no channel for it."
        )
    unknown = sorted(set(card.network) - NETWORK_KEYS)
    if unknown:
        raise BundleError(
            f"config.json of {card.name} gives its network the unknown key {unknown[0]!r}; known are "
            f"{', '.join(sorted(NETWORK_KEYS))}."
        )


def _priority(card: "ModelCard", names: Any) -> tuple[str, ...]:
    wanted = sorted(card.class_names[1:])
    if not names:
        return ()
    if not isinstance(names, Sequence) or isinstance(names, str) or sorted(map(str, names)) != wanted:
        raise _wrong(card, "priority", names, f"the classes {wanted} in the order in which they win")
    return tuple(str(name) for name in names)


def _whole_numbers(card: "ModelCard", key: str, value: Any, least: int) -> tuple[int, ...]:
    """Return one whole number per axis; a single one stands for all."""
    values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value] * card.dimensions
    whole = all(_is_number(v) and float(v).is_integer() and v >= least for v in values)
    if len(values) != card.dimensions or not whole:
        raise _wrong(card, key, value, f"{card.dimensions} whole numbers, {least} or more")
    return tuple(int(v) for v in values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong(card: "ModelCard", key: str, value: Any, needed: str) -> BundleError:
    return BundleError(f"config.json of {card.name} gives its network the {key} {value!r}; it must be {needed}.")


def without_facts(network: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of an architecture: a card's ``network`` without what :class:`NetworkFacts` holds."""
    return {key: value for key, value in network.items() if key not in NETWORK_KEYS}
