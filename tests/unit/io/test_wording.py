from napari_medpatch.io.wording import size_text, spacing_text


def test_sizes_are_written_with_crosses():
    assert size_text((512, 512, 133)) == "512 × 512 × 133"
    assert spacing_text((0.703125, 2.5)) == "0.70312 × 2.5 mm"
    assert spacing_text((0.25, 0.25), "µm") == "0.25 × 0.25 µm"
    assert spacing_text(()) == "spacing unknown"
