import gzip

import pytest

from napari_medpatch.errors import DamagedFileError, ResourceError, UnsupportedFormatError
from napari_medpatch.io.reading import reading


@pytest.mark.parametrize(
    ("raised", "error", "sentence"),
    [
        (FileNotFoundError(2, "no", "gone.nii"), UnsupportedFormatError, "gone.nii does not exist"),
        (IsADirectoryError(), UnsupportedFormatError, "is a folder"),
        (PermissionError(), UnsupportedFormatError, "no permission"),
        (EOFError(), DamagedFileError, "it ends early or its data are corrupt"),
        (gzip.BadGzipFile("CRC"), DamagedFileError, "corrupt"),
        (MemoryError(), ResourceError, "not enough memory"),
        (OSError(5, "Input/output error"), DamagedFileError, "cannot be read: Input/output error"),
    ],
)
def test_errors_become_sentences(raised, error, sentence):
    with pytest.raises(error, match=sentence) as caught, reading("a.nii"):
        raise raised
    assert caught.value.__cause__ is raised


def test_own_errors_pass():
    with pytest.raises(DamagedFileError, match="mine"), reading("a.nii"):
        raise DamagedFileError("mine")
