"""What became of many slides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class SlideOutcome:
    """What became of one slide.

    Parameters
    ----------
    path : str
        As the user gave it.
    state : str
        ``"done"``, ``"skipped"`` (an earlier run had finished it) or ``"failed"``.
    patches : int
        Patches with scores.
    seconds : float
        What it took now.
    reason : str
        Why it failed, one sentence; else empty.
    score : mapping
        See :func:`napari_medpatch.infer.aggregate.slide_score`; empty if it failed.
    files : tuple of str
        What is on disk.
    provenance : mapping
        Record of the run that made them.
    worker : str
        Address of the machine that did it, empty for this one.
    """

    path: str
    state: str
    patches: int = 0
    seconds: float = 0.0
    reason: str = ""
    score: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""


@dataclass(frozen=True, slots=True)
class CohortResult:
    """What became of many slides.

    Parameters
    ----------
    slides : tuple of SlideOutcome
        In the order of the paths.
    """

    slides: tuple[SlideOutcome, ...]

    @property
    def failed(self) -> tuple[SlideOutcome, ...]:
        """Those that failed."""
        return tuple(slide for slide in self.slides if slide.state == "failed")
