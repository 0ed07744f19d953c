"""One sentence for the user, and the whole story for the log."""

import logging

from napari_medpatch.errors import MedPatchError

_log = logging.getLogger(__name__)

_TORCH_REMEDY = (
    "PyTorch could not be loaded after Qt (a known fault of its Windows builds); install the current Visual C++ "
    'redistributable, or start with: python -c "import torch, napari; napari.run()".'
)


def tell(sentence: str) -> None:
    """Show something worth knowing."""
    from napari.utils.notifications import show_info

    show_info(sentence)


def warn(sentence: str) -> None:
    """Show something that the user should act on."""
    from napari.utils.notifications import show_warning

    _log.warning(sentence)
    show_warning(sentence)


def tell_error(error: MedPatchError) -> None:
    """Show an error's sentence; its cause goes to the log, not to the screen."""
    warn(str(error))
    _log.debug("details", exc_info=error)


def sentence_of(error: BaseException) -> str | None:
    """Return what to show for an error that a user can act on, None for a fault of the program."""
    if isinstance(error, MedPatchError):
        return str(error)
    if isinstance(error, OSError) and "c10.dll" in str(error):
        return _TORCH_REMEDY
    if isinstance(error, MemoryError):
        return "Memory ran out; close other images or programs and try again."
    return None
