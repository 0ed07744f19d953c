"""Fill proposed or predicted labels into painted ones."""

from dataclasses import replace

import numpy as np

from napari_medpatch.annotate.origins import INTERPOLATED, AcceptedLabels, AcceptedPart
from napari_medpatch.annotate.sparse import LabelArray, SparseLabels
from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.wording import size_text


def accept(labels: SparseLabels, proposal: LabelArray, origin: int = INTERPOLATED) -> SparseLabels:
    """Return labels with a proposal filled in where nothing was labelled.

    Parameters
    ----------
    labels : SparseLabels
        Not changed.
    proposal : ndarray
        uint8 label values (1 background, 2… classes) on the same grid, 0 where nothing is proposed.
    origin : int
        :data:`napari_medpatch.annotate.origins.INTERPOLATED` or ``PREDICTED``.

    Raises
    ------
    GeometryError
        If the proposal lies on another grid.
    """
    if proposal.shape != labels.labels.shape:
        raise GeometryError(
            f"The proposal has the shape {size_text(proposal.shape)} and the labels {size_text(labels.labels.shape)}; "
            "propose again for these labels."
        )
    free = np.where(labels.labels == 0, proposal, 0).astype(np.uint8)
    part = AcceptedPart.of(free, origin)
    if part is None:
        return labels
    accepted = AcceptedLabels.of_saved(labels.labels, labels.origins)
    accepted.add(part)
    filled = np.where(labels.labels == 0, free, labels.labels).astype(np.uint8)
    return replace(labels, labels=filled, origins=accepted.origins(filled))


def predicted_labels(mask: LabelArray, names: tuple[str, ...], labels: SparseLabels) -> LabelArray:
    """Return a model's mask as label values of painted labels; its background is not among them.

    Parameters
    ----------
    mask : ndarray
        uint8, 0 background, 1… classes of the model, on the grid of the labels.
    names : tuple of str
        Of the mask values 1, 2, ….
    labels : SparseLabels
        Classes are matched by name, or by order if the model and the labels have as many.

    Raises
    ------
    GeometryError
        If the mask lies on another grid.
    LabelsError
        If no class matches.
    """
    if mask.shape != labels.labels.shape:
        raise GeometryError(
            f"The mask has the shape {size_text(mask.shape)} and the labels {size_text(labels.labels.shape)}; "
            "paint on the grid of the mask."
        )
    table = np.zeros(256, np.uint8)
    for value, name in enumerate(names, start=1):
        if name in labels.foreground:
            table[value] = labels.foreground.index(name) + 2
    if not table.any():
        if len(names) != len(labels.foreground):
            raise LabelsError(
                f"None of the model's classes ({', '.join(names)}) is among the painted ones "
                f"({', '.join(labels.foreground)}); name a class like the model's."
            )
        table[1 : len(names) + 1] = np.arange(2, len(names) + 2)
    return table[mask]
