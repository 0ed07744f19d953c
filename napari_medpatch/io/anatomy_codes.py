"""SNOMED CT codes of what class names mean, for DICOM-SEG and 3D Slicer.

A name is taken apart into words; their order, plurals and the usual abbreviations do not matter: ``"left lung"``,
``"lung_left"`` and ``"Lungs (L)"`` are one concept. Codes are those of DICOM PS3.16 (CID 7150, 7151 and what they
include); tests compare them with pydicom's copy of the standard.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from napari_medpatch.io.anatomy_table import FINDINGS, SAME_WORD, STRUCTURES, numbered_bones


@dataclass(frozen=True, slots=True)
class Code:
    """A SNOMED CT code.

    Parameters
    ----------
    value : str
        The code.
    meaning : str
        In English.
    """

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Concept:
    """What a segment shows.

    Parameters
    ----------
    category, type : Code
        Kind of thing, and which.
    side : Code or None
        Left or right.
    region : Code or None
        Of a finding: the organ it lies in.
    known : bool
        False where the name says nothing and the type is just "Tissue".
    """

    category: Code
    type: Code
    side: Code | None = None
    region: Code | None = None
    known: bool = True


ANATOMY = Code("91723000", "Anatomical Structure")
ABNORMAL = Code("49755003", "Morphologically Abnormal Structure")
TISSUE = Code("85756007", "Tissue")
_SIDES = {
    "left": Code("7771000", "Left"),
    "l": Code("7771000", "Left"),
    "right": Code("24028007", "Right"),
    "r": Code("24028007", "Right"),
}
_FILLERS = {"of", "the", "and", "mask", "segmentation", "structure", "organ", "whole", "total"}


def concept_of(name: str) -> Concept:
    """Return what a class name means; anatomical structure, tissue, if nobody knows.

    Parameters
    ----------
    name : str
        Such as ``"left lung"``, ``"kidney_right"``, ``"vertebrae_L3"``, ``"lung nodule"`` or ``"liver tumour"``.
    """
    words = [SAME_WORD.get(word, word) for word in re.findall(r"[^\W\d_]+|\d+", name.lower())]
    bone = _numbered(words)
    if bone is not None:
        return bone
    sides = [_SIDES[word] for word in words if word in _SIDES]
    side = sides[0] if len(set(sides)) == 1 else None
    rest = frozenset(_singular(word) for word in words if word not in _SIDES and word not in _FILLERS)
    structure = _table().get(rest)
    if structure is not None:
        return Concept(ANATOMY, structure, side)
    sided = _table().get(rest | {side.meaning.lower()}) if side is not None else None
    if sided is not None:
        return Concept(ANATOMY, sided)
    for word in sorted(rest & FINDINGS.keys()):
        where = _table().get(rest - {word})
        return Concept(ABNORMAL, Code(*FINDINGS[word]), side, where)
    return Concept(ANATOMY, TISSUE, side, known=False)


def _numbered(words: list[str]) -> Concept | None:
    """Return a vertebra or a rib, told by its number."""
    rest = [word for word in words if word not in _FILLERS]
    for side in ("", "left", "right"):
        key = frozenset(rest) - {side}
        if side and side not in rest:
            continue
        code = numbered_bones().get(key)
        if code is not None:
            return Concept(ANATOMY, Code(*code), _SIDES.get(side))
    return None


@cache
def _table() -> dict[frozenset[str], Code]:
    return {_key(name): Code(*code) for name, code in STRUCTURES.items()}


@cache
def _known_words() -> frozenset[str]:
    return frozenset(word for key in _table() for word in key) | FINDINGS.keys()


def _key(name: str) -> frozenset[str]:
    return frozenset(name.split())


def _singular(word: str) -> str:
    """Return a word of the table, without its plural's ending."""
    return next((form for form in _forms(word) if form in _known_words()), word)


def _forms(word: str) -> Iterable[str]:
    yield word
    for ending, instead in (("s", ""), ("es", ""), ("ies", "y"), ("ae", "a")):
        if word.endswith(ending):
            yield word[: -len(ending)] + instead
