import threading
from pathlib import Path

import pytest

from napari_medpatch.errors import MedPatchError
from napari_medpatch.io.open_file import OpenFile


def test_closing_waits_for_who_reads() -> None:
    file, closed = OpenFile(Path("a.svs")), threading.Event()

    def close() -> None:
        assert file.close()
        closed.set()

    with file.read(), file.read():
        thread = threading.Thread(target=close)
        thread.start()
        while not file.is_closed:
            pass
        assert not closed.is_set()
    thread.join(10)
    assert closed.is_set()


def test_nobody_reads_a_closed_file() -> None:
    file = OpenFile(Path("a.svs"))
    assert file.close()
    assert not file.close()
    with pytest.raises(MedPatchError, match=r"a\.svs was closed; open it again"), file.read():
        pass


def test_an_error_while_reading_lets_others_close() -> None:
    file = OpenFile(Path("a.svs"))
    with pytest.raises(KeyError), file.read():
        raise KeyError
    assert file.close()
