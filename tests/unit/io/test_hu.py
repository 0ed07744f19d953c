from napari_medpatch.io.hu import HU_WINDOWS


def test_the_five_presets_are_ranges_of_hu():
    assert set(HU_WINDOWS) == {"lung", "mediastinum", "bone", "brain", "abdomen"}
    assert all(-1400 < low < high < 3100 for low, high in HU_WINDOWS.values())
    low, high = HU_WINDOWS["lung"]
    assert (low + high) / 2 == -600
    assert high - low == 1500
