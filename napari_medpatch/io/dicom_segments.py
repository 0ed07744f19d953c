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
    family : tuple of str
        Value, scheme and meaning of the algorithm's code, where a file said it; else ``learned`` decides.
    told : bool
        False where nothing says how the mask was made.
    """

    kind: str
    name: str = ""
    version: str = __version__
    learned: bool = True
    family: tuple[str, ...] = ()
    told: bool = True

    @classmethod
    def of(cls, provenance: Mapping[str, Any], made_by: str | None = None, segment: str = "") -> "Maker":
        """Tell the maker by the provenance of a mask.

        Parameters
        ----------
        provenance : mapping
            ``model`` and what its run recorded, at the top or under ``provenance``; what the mask's file said of its
            segments under ``segments``.
        made_by : str, optional
            What the user says.
        segment : str
            Name of a class, which may have a maker of its own; without it, of the whole mask.
        """
        facts = _facts(provenance, segment)
        model = str(facts.get("model") or facts.get("model_name") or "")
        own = facts.get("made_by")
        kind = made_by if made_by in MADE_BY else _told_by(facts, model, own if own in MADE_BY else None)
        digest = str(facts.get("weights_sha256") or "")[:12]
        learned = bool(digest) or "weights_sha256" not in facts
        # Something must be named where an algorithm took part.
        name = model or ("" if kind == "manual" else "napari-medpatch")
        return cls(
            kind,
            name[:_LETTERS],
            digest or str(facts.get("version") or __version__),
            learned,
            tuple(facts.get("family", ())),
            told=bool(made_by or own or model or facts.get("job")),
        )


def _facts(provenance: Mapping[str, Any], segment: str) -> dict[str, Any]:
    """Return the provenance of a mask, or of one of its segments, in one layer."""
    inner, segments = provenance.get("provenance"), provenance.get("segments")
    facts = {**(inner if isinstance(inner, Mapping) else {}), **provenance}
    own = segments.get(segment) if isinstance(segments, Mapping) else None
    return facts | own if isinstance(own, dict) else facts


def _told_by(facts: Mapping[str, Any], model: str, own: str | None) -> str:
    """Tell how a mask was made by what took part, its file's own word first."""
    if facts.get("job") in _JOBS_WITH_A_HAND:
        return own or "semiautomatic"
    kind = own or ("automatic" if model else "manual")
    helped = any(facts.get(key) for key in _HUMAN_HELP)
    # Somebody corrected what a program found, or rules changed what somebody drew.
    mixed = helped if kind == "automatic" else bool(facts.get("clean_up"))
    return "semiautomatic" if mixed else kind


def segment_descriptions(names: Sequence[str], colours: Sequence[str], makers: Sequence[Maker]) -> list[Any]:
    """Return highdicom's description of each segment.

    Parameters
    ----------
    names : sequence of str
        Of segments 1, 2, ….
    colours : sequence of str
        ``#rrggbb``, as far as the user chose them.
    makers : sequence of Maker
        Of each of them.
    """
    numbered = enumerate(zip(names, makers, strict=True), start=1)
    return [_description(number, name, colours, maker) for number, (name, maker) in numbered]


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
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    if maker.kind == "manual":
        return None
    family = codes.DCM.ArtificialIntelligence if maker.learned else codes.DCM.MorphologicalOperations
    if len(maker.family) == 3:
        value, scheme, meaning = maker.family
        family = CodedConcept(value, scheme, meaning)
    return AlgorithmIdentificationSequence(name=maker.name, family=family, version=maker.version)


def _coded(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, "SCT", code.meaning)
