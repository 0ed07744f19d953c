"""What an exported file says about itself: kind of values, class names, provenance.

The note is JSON. NIfTI keeps it in a header extension, PNG in a text chunk, OME-TIFF in a map annotation.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KEY = "medpatch"


@dataclass(frozen=True, slots=True)
class ExportNote:
    """A note for a file.

    Parameters
    ----------
    kind : str
        ``"mask"`` (0 background, 1… classes), ``"probabilities"`` or ``"image"``.
    class_names : tuple of str
        Of mask values 1, 2, …, or of the probability channels.
    provenance : mapping
        Model, source and settings; JSON-serialisable, other values are written as text.
    affine : tuple of tuple of float or None
        (4, 4), for volumes outside NIfTI: ``(x, y, z)`` index to RAS+ mm.
    """

    kind: str
    class_names: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    affine: tuple[tuple[float, ...], ...] | None = None

    def to_json(self) -> str:
        """Return the note as one line of JSON, ASCII only."""
        content: dict[str, Any] = {"kind": self.kind, "class_names": list(self.class_names)}
        if self.provenance:
            content["provenance"] = dict(self.provenance)
        if self.affine is not None:
            content["affine"] = self.affine
        return json.dumps({KEY: content}, default=_plain)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ExportNote | None":
        """Read a note back; None if the text is not one of ours."""
        try:
            content = json.loads(text)[KEY]
            affine = content.get("affine")
            return cls(
                kind=str(content["kind"]),
                class_names=tuple(str(name) for name in content["class_names"]),
                provenance=dict(content.get("provenance", {})),
                affine=tuple(tuple(float(v) for v in row) for row in affine) if affine else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def summary(self) -> str:
        """Return a short line for people: ``"1 lung, 2 heart"``."""
        return ", ".join(f"{value} {name}" for value, name in enumerate(self.class_names, start=1))


def mask_note(class_names: Sequence[str], provenance: Mapping[str, Any] | None) -> ExportNote:
    """Return the note of a mask."""
    return ExportNote("mask", tuple(class_names), dict(provenance or {}))


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)
