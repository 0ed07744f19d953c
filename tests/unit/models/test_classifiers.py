import pytest
import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.models.classifiers import SUGGESTED, build_classifier


@pytest.mark.parametrize("name", [name for name in SUGGESTED if not name.startswith("vgg")])
def test_suggested_architectures_give_the_classes_asked_for(name: str) -> None:
    model = build_classifier(name, 3).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_a_head_on_vgg_drops_its_own_layers_of_4096() -> None:
    model = build_classifier("vgg16", 2, hidden=(8,)).eval()
    assert sum(p.numel() for p in model.parameters()) < 16e6
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


@pytest.mark.parametrize("name", ["mobilenetv2_050", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_heads_fit_maps_and_tokens(name: str) -> None:
    model = build_classifier(name, 4, hidden=(16, 8), dropout=0.5, pooling="avgmax").eval()
    widths = [layer.out_features for layer in model.head if isinstance(layer, torch.nn.Linear)]
    assert widths == [16, 8, 4]
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 4)


def test_max_pooling_sees_the_largest_feature() -> None:
    from napari_medpatch.models.classifier_layers import _pool

    maps = torch.zeros(1, 2, 2, 2)
    maps[0, 1, 0, 1] = 8.0
    assert _pool(maps, 2, "max").tolist() == [[0, 8]]
    assert _pool(maps, 2, "avg").tolist() == [[0, 2]]
    assert _pool(maps.permute(0, 2, 3, 1), 2, "avgmax").shape == (1, 4)
    # Channels last: four positions, two channels.
    wide = torch.zeros(1, 4, 4, 2)
    wide[0, 3, 3, 0] = 16.0
    assert _pool(wide, 2, "avg").tolist() == [[1, 0]]


def test_unknown_names_come_with_close_ones() -> None:
    with pytest.raises(BundleError, match=r"did you mean .*resnet18"):
        build_classifier("resnet-18", 2)
    with pytest.raises(BundleError, match="try resnet18"):
        build_classifier("qqqqqqqq", 2)


@pytest.mark.parametrize("options", [{"pooling": "median"}, {"dropout": 1.5}, {"hidden": (0,)}])
def test_impossible_heads_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="No classifier"):
        build_classifier("resnet18", 2, **options)


def test_unknown_options_are_one_sentence() -> None:
    with pytest.raises(BundleError, match="cannot be built"):
        build_classifier("resnet18", 2, colour="green")


def test_pretrained_weights_out_of_reach_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("cannot find the requested files\nmore lines")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(BundleError, match=r"could not be fetched \(cannot find the requested files\); connect"):
        build_classifier("resnet18", 2, pretrained=True)
