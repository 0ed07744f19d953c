"""A trained model on disk: where it was wanted or, rather than losing it, elsewhere."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import MedPatchError, OutputError
from napari_medpatch.io.kept_elsewhere import keep_elsewhere, kept_sentence, reason
from napari_medpatch.models.bundle import Bundle, save_bundle
from napari_medpatch.models.card import ModelCard

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)


def save_or_keep(folder: Path, card: ModelCard, model: "nn.Module") -> tuple[Bundle, str]:
    """Save a bundle, if need be among the user's models or in a temporary folder.

    Parameters
    ----------
    folder : Path
        Where it is wanted.
    card, model : ModelCard, torch.nn.Module
        As :func:`~napari_medpatch.models.bundle.save_bundle` takes them.

    Returns
    -------
    tuple
        The bundle, and a sentence that says where it lies if that is not ``folder``.

    Raises
    ------
    OutputError
        If it can be written nowhere.
    """
    try:
        return save_bundle(folder, card, model), ""
    except (MedPatchError, OSError) as error:
        # An error that is passed on would hold the network, and with it the accelerator's memory.
        _log.debug("The model could not be written.", exc_info=error)
        kept = keep_elsewhere(folder.name, lambda path: save_bundle(path, card, model), among="models")
        if kept is None:
            raise OutputError(
                f"{reason(error)}, nor could the trained model be kept in your data folder or among the temporary "
                "files; free some space and train again."
            ) from error
        path, bundle = kept
        remedy = "use it from there, or move that folder where you want it"
        return bundle, kept_sentence(error, "the trained model", path, remedy)
