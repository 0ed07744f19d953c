from pathlib import Path

import numpy as np
import pytest

from napari_medpatch.io.export_note import ExportNote


def test_round_trip():
    note = ExportNote("mask", ("lung", "Gewebe ü"), {"model": "m", "seconds": 1.5}, ((1.0, 0.0), (0.0, 1.0)))
    assert ExportNote.from_json(note.to_json()) == note
    assert note.to_json().isascii()
    assert note.summary() == "1 lung, 2 Gewebe ü"


def test_values_that_are_no_json_become_text_or_numbers():
    note = ExportNote("mask", (), {"path": Path("a"), "count": np.int64(3), "size": np.array([1.0, 2.0])})
    assert ExportNote.from_json(note.to_json()).provenance == {"path": "a", "count": 3, "size": [1.0, 2.0]}


@pytest.mark.parametrize("text", ["", "hello", "{}", '{"medpatch": 3}', '{"medpatch": {"kind": 1}}', b"\xff", "[1]"])
def test_other_texts_are_no_notes(text):
    assert ExportNote.from_json(text) is None
