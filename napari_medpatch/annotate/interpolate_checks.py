"""What cannot be interpolated, in one sentence each."""

from collections.abc import Sequence

from napari_medpatch.annotate.painted_planes import PaintedPlane
from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.errors import LabelsError


def wanted_values(labels: SparseLabels, names: Sequence[str]) -> tuple[int, ...]:
    """Return the label values of classes by name; all but the background without names.

    Raises
    ------
    LabelsError
        If there is no such class.
    """
    unknown = [name for name in names if name not in labels.foreground]
    if unknown:
        raise LabelsError(f"There is no class {unknown[0]!r} to fill; choose among {', '.join(labels.foreground)}.")
    return tuple(n for n, name in enumerate(labels.foreground, start=2) if not names or name in names)


def check_planes(painted: Sequence[PaintedPlane], axis: str, *, beyond: bool) -> None:
    """Refuse slices with nothing to fill between them.

    Parameters
    ----------
    painted : sequence of PaintedPlane
        In order.
    axis : str
        ``"axial"``, ``"coronal"`` or ``"sagittal"``, for the sentence.
    beyond : bool
        Whether one slice is enough.

    Raises
    ------
    LabelsError
        If that is so.
    """
    if not painted:
        raise LabelsError(f"No {axis} slice is painted; paint the structure on two of them, or choose another axis.")
    if not any(max(plane.values) > 1 for plane in painted):
        raise LabelsError(f"Only background is painted on {axis} slices; paint the structure on two of them.")
    if beyond:
        return
    if len(painted) == 1:
        raise LabelsError(
            f"Only {axis} slice {painted[0].index} is painted; paint another one some slices away, or choose "
            "another axis."
        )
    first, last = painted[0].index, painted[-1].index
    if last - first == len(painted) - 1:
        raise LabelsError(
            f"The painted {axis} slices {first} to {last} are neighbours, so nothing lies between them; paint one "
            "further away."
        )


def check_result(voxels: int) -> None:
    """Refuse an empty proposal.

    Raises
    ------
    LabelsError
        If there is nothing to propose.
    """
    if not voxels:
        raise LabelsError(
            "There is nothing to propose: no class is painted on two slices with unlabelled voxels between them."
        )
