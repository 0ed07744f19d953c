"""Errors that a user can act on.

Every error the package raises on purpose derives from :class:`MedPatchError`. Its message is one
sentence that says what happened, which value was met and what to do; the window and the command line
show it as it is.
"""


class MedPatchError(Exception):
    """Base of all errors raised on purpose; the message is one sentence for the user."""

    exit_code = 2


class UnsupportedFormatError(MedPatchError):
    """The file is not an image, volume or model that can be read."""


class DamagedFileError(MedPatchError):
    """The file is of a known kind but truncated or corrupt."""


class MissingSpacingError(MedPatchError):
    """A physical pixel size is needed and neither the file nor the user gave one."""


class ChoiceNeededError(MedPatchError):
    """The input holds several images and the user must say which.

    Parameters
    ----------
    message : str
        One sentence for the user.
    choices : sequence of str
        What can be chosen, in order; the answer is the index.
    """

    def __init__(self, message: str, choices: "list[str] | tuple[str, ...]" = ()) -> None:
        super().__init__(message)
        self.choices = tuple(choices)
        for line in self.listing():
            self.add_note(line)

    def listing(self) -> list[str]:
        """Return the choices as lines with their indices."""
        return [f"  {index}  {choice}" for index, choice in enumerate(self.choices)]


class WrongKindError(MedPatchError):
    """A job was given a source that it cannot work on, such as a photograph for a 3D model."""


class GeometryError(MedPatchError):
    """Shapes, spacings or affines do not fit together."""


class NoTissueError(MedPatchError):
    """Nothing to classify was found in an image: it is glass, or no patch lies on tissue."""


class LabelsError(MedPatchError):
    """Painted labels are empty, of one class only, or of wrong values."""


class BundleError(MedPatchError):
    """A model bundle is incomplete, altered or does not fit the job."""


class SettingsError(MedPatchError):
    """Settings are out of range or exclude each other."""


class OutputError(MedPatchError):
    """A result could not be written (folder not writable, disk full, unknown suffix)."""


class KeptElsewhereError(OutputError):
    """Finished work could not be written where it was wanted and lies in another place, which the message names.

    Parameters
    ----------
    message : str
        One sentence for the user.
    result : object
        What the job would have returned, None if it was stopped.
    """

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class ResourceError(MedPatchError):
    """Memory ran out, on the machine or the accelerator, even with the smallest pieces."""


class ClusterError(MedPatchError):
    """A dask cluster cannot be reached, was lost, or its machines do not fit the job."""
