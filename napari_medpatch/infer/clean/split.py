"""Split a paired organ into the patient's right and left."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.classes import renumber
from napari_medpatch.infer.clean.sides import Sides, find_sides
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.clean.work import Mask, Work

_MOST_CLASSES = 255


@dataclass(frozen=True, slots=True)
class SplitLeftRight(CleanStep):
    """Make ``right lung`` and ``left lung`` of ``lung``.

    Two large pieces are told apart by where they lie; one piece in which both sides touch is cut where it is
    thinnest (watershed of the distance to its border); one without a waist at its middle. The volume's last
    axis runs to the patient's left, which :mod:`napari_medpatch.io.orientation` sees to. The right side takes
    the class's value and the left side the next one; later classes move up.
    """

    keyword: ClassVar[str] = "split-left-right"
    title: ClassVar[str] = "Split left and right"
    tip: ClassVar[str] = "Make two classes of a paired organ: the patient's right and left lung."

    def apply(self, work: Work) -> Iterator[float]:
        """Split each class."""
        chosen = work.values_of(self.classes)
        yield from _make_room(work, chosen)
        right = [value + index for index, value in enumerate(chosen)]
        boxes = work.boxes(right)
        for done, (value, box) in enumerate(boxes.items()):
            view = work.mask[box]
            sides = find_sides(view == value, work.place.voxel, work.place.unit, box[-1].start, work.mask.shape[-1])
            found: Sides | None = None
            for step in sides:
                if isinstance(step, Sides):
                    found = step
                    break
                yield (done + 0.8 * step) / len(boxes)
            if found is not None:
                if found.note:
                    work.notes.append(f"{work.names[value - 1].removeprefix('right ')}: {found.note}")
                yield from ((done + 0.8 + 0.2 * share) / len(boxes) for share in _write(view, value, found))

    def fits(self, work: Work) -> None:
        """Raise for pictures."""
        if work.mask.ndim != 3:
            raise SettingsError("Left and right can be told apart in volumes only; leave split-left-right out.")

    def check(self, work: Work) -> None:
        """Also raise where there would be too many classes or two of one name."""
        CleanStep.check(self, work)
        names = sided(work.names, work.values_of(self.classes))
        if len(names) > _MOST_CLASSES:
            raise SettingsError(f"Splitting would make {len(names)} classes; a mask holds {_MOST_CLASSES}.")
        if len(set(names)) < len(names):
            raise SettingsError(
                "Splitting would give two classes the same name; name the class: split-left-right@lung."
            )


def sided(names: list[str], chosen: list[int]) -> list[str]:
    """Return the names after splitting the classes of the chosen values."""
    result = []
    for value, name in enumerate(names, start=1):
        # A label "lungs" is one organ of a pair once it is split.
        single = "lung" if name == "lungs" else name
        result += [f"right {single}", f"left {single}"] if value in chosen else [name]
    return result


def _make_room(work: Work, chosen: list[int]) -> Iterator[float]:
    """Name the new classes and move the others up; the split ones keep the right side's value."""
    targets, value = [0], 1
    for old in range(1, len(work.names) + 1):
        targets.append(value)
        value += 2 if old in chosen else 1
    work.names[:] = sided(work.names, chosen)
    for _ in renumber(work, targets):
        yield 0.0


def _write(view: Mask, value: int, sides: Sides) -> Iterator[float]:
    for rows, left in sides.slabs():
        part = view[rows]
        part[left & (part == value)] = np.uint8(value + 1)
        yield rows.stop / len(view)
