"""Names of the files when every class gets its own."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

_COMPOUND = (".nii.gz", ".seg.nrrd", ".ome.tiff", ".ome.tif", ".geojson.gz")


def class_name(value: int, names: Sequence[str]) -> str:
    """Return the name of a mask value, ``"class 3"`` if it has none."""
    return names[value - 1] if 0 < value <= len(names) and names[value - 1] else f"class {value}"


def class_files(path: Path, names: Sequence[str]) -> list[Path]:
    """Return a file per class, such as ``lungs-left.nii.gz`` for ``lungs.nii.gz``.

    Letters and digits of any alphabet stay, everything else becomes one underscore. Names that become the same
    get their number.
    """
    stem, suffix = split_suffix(path)
    words = [_word(name) for name in names]
    result = []
    for value, word in enumerate(words, start=1):
        alone = bool(word) and sum(other.lower() == word.lower() for other in words) == 1
        result.append(path.with_name(f"{stem}-{word if alone else f'{word}{value}'}{suffix}"))
    return result


def split_suffix(path: Path) -> tuple[str, str]:
    """Return the name without its suffix, and the suffix, ``.nii.gz`` and its like in one piece."""
    for suffix in _COMPOUND:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)], path.name[-len(suffix) :]
    return path.stem, path.suffix


def _word(name: str) -> str:
    plain = unicodedata.normalize("NFC", name).strip()
    return re.sub(r"[^\w]+", "_", plain).strip("_")
