"""Whether the values of a volume are what a model was trained on."""

from collections.abc import Mapping
from types import MappingProxyType

from napari_medpatch.errors import WrongKindError
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import expects_hu

_OTHERS: Mapping[str, str] = MappingProxyType(
    {
        "MR": "magnetic resonance",
        "PT": "positron emission",
        "NM": "nuclear medicine",
        "US": "ultrasound",
        "OPT": "optical coherence",
    }
)
"""DICOM modalities that make volumes and have no Hounsfield units."""
_AIR_BELOW, _LEAST_RANGE = -200.0, 200.0


def check_modality(source: Source, card: ModelCard) -> None:
    """Raise :class:`WrongKindError` if a file says that it is no CT and the model wants one.

    Other volumes, whose files do not say what they are, are judged by their values: see :func:`value_notes`.
    """
    modality = str(source.metadata.get("modality", ""))
    if modality in _OTHERS and expects_hu(card):
        raise WrongKindError(
            f"{source.path.name} is a {_OTHERS[modality]} series ({modality}), and {card.name} expects CT in "
            "Hounsfield units; choose a model for this kind of image, or train one on it."
        )


def value_notes(source: Source, card: ModelCard, low: float, high: float) -> list[str]:
    """Return a warning where values do not look like those that a model expects.

    Parameters
    ----------
    source : Source
        A volume.
    card : ModelCard
        A model for volumes.
    low, high : float
        Smallest and largest value.

    Raises
    ------
    WrongKindError
        If all voxels have one value: whatever a model says of that means nothing.
    """
    if not low < high:
        raise WrongKindError(
            f"{source.path.name} has the value {low:g} in every voxel, so there is nothing to segment; look whether "
            "the right file was exported."
        )
    if not expects_hu(card) or (low <= _AIR_BELOW and high - low >= _LEAST_RANGE):
        return []
    sentence = (
        f"The values lie between {low:g} and {high:g}, which does not look like Hounsfield units (air is -1000); "
        f"{card.name} expects those, so check the result."
    )
    return [sentence]
