"""Where the window keeps the scores of a run that was stopped, when no output folder was given."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source


def unfinished_folder(source: "Source", model: str) -> Path:
    """Return a folder for an image and a model; the job makes it, and removes it when it is done.

    It lies among the user's data and not beside the image: nobody asked for files there.

    Parameters
    ----------
    source : Source
        The image.
    model : str
        Its name.
    """
    from napari_medpatch.io.project_folder import user_data_folder

    of = hashlib.sha256(f"{source.path.resolve()}/{model}".encode()).hexdigest()[:16]
    return user_data_folder() / "unfinished" / of
