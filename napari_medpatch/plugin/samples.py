"""Sample data, for napari's File menu and the Open tab."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "thorax": "Thorax CT (phantom)",
        "fundus": "Fundus photograph (phantom)",
        "slide": "Tissue slide (phantom)",
        "retina": "Retina (real photograph)",
        "ihc": "Stained tissue (real photograph)",
    }
)
"""Keys and names of the samples; the phantoms come with the package, the photographs with scikit-image."""

_PHANTOMS = {"slide": "slide", "fundus": "fundus", "thorax": "thorax_ct"}
_PHOTOGRAPHS = {"retina": "retina.jpg", "ihc": "ihc.png"}


def sample_file(key: str) -> Path:
    """Return the file of a sample.

    Parameters
    ----------
    key : str
        One of :data:`SAMPLES`.
    """
    if key in _PHANTOMS:
        from napari_medpatch.samples import sample_path

        return Path(sample_path(_PHANTOMS[key]))
    from importlib.util import find_spec

    spec = find_spec("skimage")  # its folder is enough: importing it takes a second
    if spec is None or not spec.submodule_search_locations:
        from napari_medpatch.errors import UnsupportedFormatError

        raise UnsupportedFormatError(f"The sample {key} comes with scikit-image, which is not installed.")
    return Path(spec.submodule_search_locations[0]) / "data" / _PHOTOGRAPHS[key]


def sample_slide() -> list[Any]:
    """Return the phantom slide's layers."""
    return _layers("slide")


def sample_fundus() -> list[Any]:
    """Return the phantom fundus photograph's layers."""
    return _layers("fundus")


def sample_thorax() -> list[Any]:
    """Return the phantom thorax CT's layers."""
    return _layers("thorax")


def sample_retina() -> list[Any]:
    """Return the layers of scikit-image's retina photograph."""
    return _layers("retina")


def sample_ihc() -> list[Any]:
    """Return the layers of scikit-image's immunohistochemistry photograph."""
    return _layers("ihc")


def _layers(key: str) -> list[Any]:
    from napari_medpatch.plugin.open import read_layers

    return read_layers(sample_file(key))
