"""What a DICOM-SEG says of each segment: its name, codes, colour, and who made it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_medpatch import __version__
from napari_medpatch.io.anatomy_codes import Code, Concept, concept_of
from napari_medpatch.io.class_colours import class_colour
from napari_medpatch.io.export_options import MADE_BY

_LETTERS = 64
_HUMAN_HELP = ("interpolated", "painted", "edited", "strokes", "labels")
"""Keys of a provenance that tell of somebody's hand beside the model's."""
_JOBS_WITH_A_HAND = ("interpolate", "finetune")


@dataclass(frozen=True, slots=True)
class Maker:
    """Who or what made a mask.

    Parameters
    ----------
    kind : {"automatic", "semiautomatic", "manual"}
        How.
    name : str
        Of the model; empty if there was none.
    version : str
        Of the model, or of this package.
    learned : bool
        False for rules, such as a threshold.
    """

    kind: str
    name: str = ""
    version: str = __version__
    learned: bool = True

    @classmethod
    def of(cls, provenance: Mapping[str, Any], made_by: str | None = None) -> "Maker":
        """Tell the maker by the provenance of a mask.

        Parameters
        ----------
        provenance : mapping
            ``model`` and what its run recorded, at the top or under ``provenance``.
        made_by : str, optional
            What the user says.
        """
        inner = provenance.get("provenance")
        facts = {**(inner if isinstance(inner, Mapping) else {}), **provenance}
        model = str(facts.get("model") or facts.get("model_name") or "")
        helped = any(facts.get(key) for key in _HUMAN_HELP) or facts.get("job") in _JOBS_WITH_A_HAND
        told = "manual" if not model else "semiautomatic" if helped else "automatic"
        kind = made_by if made_by in MADE_BY else told
        digest = str(facts.get("weights_sha256") or "")[:12]
        learned = bool(digest) or "weights_sha256" not in facts
        # Something must be named where an algorithm took part.
        name = model or ("" if kind == "manual" else "napari-medpatch")
        return cls(kind, name[:_LETTERS], digest or str(facts.get("version") or __version__), learned)


def segment_descriptions(names: Sequence[str], colours: Sequence[str], maker: Maker) -> list[Any]:
    """Return highdicom's description of each segment.

    Parameters
    ----------
    names : sequence of str
        Of segments 1, 2, ….
    colours : sequence of str
        ``#rrggbb``, as far as the user chose them.
    maker : Maker
        Of all of them.
    """
    return [_description(number, name, colours, maker) for number, name in enumerate(names, start=1)]


def _description(number: int, name: str, colours: Sequence[str], maker: Maker) -> Any:
    import highdicom as hd
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    concept = concept_of(name)
    result = SegmentDescription(
        segment_number=number,
        segment_label=name[:_LETTERS],
        segmented_property_category=_coded(concept.category),
        segmented_property_type=_coded(concept.type),
        algorithm_type=SegmentAlgorithmTypeValues(maker.kind.upper()),
        algorithm_identification=_algorithm(maker),
        tracking_uid=hd.UID(),
        tracking_id=f"MedPatch {name}"[:_LETTERS],
        anatomic_regions=None if concept.region is None else [_coded(concept.region)],
        display_color=CIELabColor.from_rgb(*class_colour(number, colours)),
    )
    _add_side(result, concept)
    return result


def _add_side(description: Any, concept: Concept) -> None:
    """Say left or right: of the structure, or of the organ that a finding lies in."""
    from pydicom.sequence import Sequence as DicomSequence

    if concept.side is None:
        return
    side = DicomSequence([_coded(concept.side)])
    if concept.region is not None:
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = side
    else:
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = side


def _algorithm(maker: Maker) -> Any:
    """Return how the algorithm is identified, None where there was none."""
    from highdicom import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    if maker.kind == "manual":
        return None
    family = codes.DCM.ArtificialIntelligence if maker.learned else codes.DCM.MorphologicalOperations
    return AlgorithmIdentificationSequence(name=maker.name, family=family, version=maker.version)


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, "SCT", code.meaning)
