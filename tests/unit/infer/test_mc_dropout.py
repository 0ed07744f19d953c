"""Monte-Carlo dropout, for networks in Python and for TorchScript files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.mc_dropout import DropoutBundle, switch_on
from napari_medpatch.infer.scoring import AveragedScores, plain_look

KEYS = np.array([[0, 0], [0, 1], [3, 2], [9, 9], [2, 3], [1, 0]])


class Network(nn.Module):
    """Dropout as a module and as a function, normalisation between them."""

    def __init__(self, p: float = 0.5, channel_p: float = 0.25) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.drop = nn.Dropout2d(channel_p)
        self.norm = nn.BatchNorm2d(8)
        self.p = p
        self.head = nn.Linear(8, 2)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        features = self.norm(self.drop(self.first(batch))).mean(dim=(2, 3))
        return self.head(nn.functional.dropout(features, self.p, self.training))


class FakeBundle:
    path = Path("fake")

    def __init__(self, card: Any, model: nn.Module) -> None:
        self.card, self._model = card, model

    def load(self, device: Any = "cpu") -> nn.Module:
        return self._model.eval()


def _network(**options: float) -> Network:
    torch.manual_seed(0)
    return Network(**options).eval()


def _patches(count: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((count, 3, 10, 10), np.float32))


def _method(card: Any, model: nn.Module, passes: int = 4, seed: int = 1) -> tuple[AveragedScores, nn.Module]:
    bundle = DropoutBundle(FakeBundle(card, model))
    loaded = bundle.load("cpu")
    return AveragedScores(card, bundle.looks(passes, seed, [plain_look])), loaded


def _scripted(how: str, model: nn.Module, tmp_path: Path) -> nn.Module:
    made = torch.jit.trace(model, _patches(1)) if how == "traced" else torch.jit.script(model)
    torch.jit.save(made, str(tmp_path / "model.pt"))
    return torch.jit.load(str(tmp_path / "model.pt"))


def test_only_dropout_is_random_and_the_network_stays_as_it_was(patch_card) -> None:
    model = _network()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    method, loaded = _method(patch_card(), model)
    plain = loaded(_patches())
    first, again = (method(loaded, _patches(), KEYS) for _ in range(2))
    assert torch.equal(first, again), "the same seed must give the same masks"
    assert (first[:, 2] > 0).all(), "passes did not differ"
    assert not model.training
    assert torch.equal(loaded(_patches()), plain)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_masks_do_not_depend_on_order_or_batches(patch_card) -> None:
    method, loaded = _method(patch_card(), _network())
    whole = method(loaded, _patches(), KEYS)
    order = [4, 0, 5, 2, 1, 3]
    parts = [method(loaded, _patches()[order][a : a + 2], KEYS[order][a : a + 2]) for a in (0, 2, 4)]
    torch.testing.assert_close(torch.cat(parts), whole[order], atol=1e-6, rtol=0)


def test_another_seed_gives_other_masks_and_the_mean_settles(patch_card) -> None:
    """Inverted dropout keeps the mean, so that many passes of a linear head come back to the plain logits."""
    card, model = patch_card(), _network(channel_p=0.0)
    few = [_method(card, model, 3, seed)[0](model, _patches(), KEYS) for seed in (1, 2)]
    assert not torch.equal(*few)
    looks = DropoutBundle(FakeBundle(card, model)).looks(600, 0, [plain_look])
    mean = torch.stack([look(model, _patches(), KEYS) for look in looks]).mean(dim=0)
    torch.testing.assert_close(mean, model(_patches()), atol=0.08, rtol=0)


def test_channels_are_dropped_whole(patch_card) -> None:
    seen = []
    model = nn.Sequential(nn.Dropout2d(0.5), nn.Flatten(), nn.Linear(300, 2)).eval()
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output))
    _method(patch_card(), model, 2)[0](model, torch.ones(6, 3, 10, 10), KEYS)
    planes = torch.cat(seen).flatten(2)
    assert ((planes == 0).all(dim=2) | (planes == 2).all(dim=2)).all()
    assert 0 < (planes == 0).float().mean() < 1


def test_rows_of_one_patch_that_a_network_splits_are_dropped_apart(patch_card) -> None:
    class Windows(nn.Module):
        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            windows = nn.functional.dropout(torch.ones(4 * len(batch), 64), 0.5, self.training)
            return windows.reshape(len(batch), 4, 64)[..., 0].float()

    model = Windows().eval()
    bundle = DropoutBundle(FakeBundle(patch_card(("a", "b", "c", "d")), model))
    look = bundle.looks(1, 0, [plain_look])[0]
    whole = look(model, _patches(), KEYS)
    assert torch.equal(look(model, _patches(2), KEYS[2:4]), whole[2:4])
    assert len(whole.unique(dim=1).T) > 1, "all windows lost the same elements"


@pytest.mark.parametrize("model", [nn.Sequential(nn.Flatten(), nn.Linear(300, 2)), Network(p=0.0, channel_p=0.0)])
def test_a_network_without_dropout_is_refused(patch_card, model) -> None:
    method, loaded = _method(patch_card(), model.eval())
    with pytest.raises(BundleError, match="mean-colour has no dropout"):
        method(loaded, _patches(), KEYS)


@pytest.mark.parametrize("how", ["traced", "scripted"])
def test_torchscript_drops_out_the_same_way_in_every_batch(patch_card, tmp_path, how) -> None:
    script = _scripted(how, _network(), tmp_path)
    method, loaded = _method(patch_card(), script)
    state = torch.random.get_rng_state()
    whole = method(loaded, _patches(), KEYS)
    assert (whole[:, 2] > 0).all()
    torch.testing.assert_close(method(loaded, _patches()[2:4], KEYS[2:4]), whole[2:4], atol=1e-6, rtol=0)
    assert torch.equal(torch.random.get_rng_state(), state), "the user's random numbers were touched"


def test_traced_network_has_both_kinds_of_dropout_switched_on(tmp_path) -> None:
    assert switch_on(_scripted("traced", _network(), tmp_path)) >= 2


def test_torchscript_without_dropout_is_refused(patch_card, tmp_path) -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(300, 2)).eval()
    with pytest.raises(BundleError, match="TorchScript file of mean-colour has no dropout"):
        DropoutBundle(FakeBundle(patch_card(), _scripted("traced", plain, tmp_path))).load()


def test_timm_networks_drop_out_before_their_head(patch_card) -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model("resnet18", num_classes=2, drop_rate=0.4).eval()
    method, loaded = _method(patch_card(), model, 3)
    with torch.inference_mode():
        found = method(loaded, torch.rand(2, 3, 64, 64), KEYS[:2])
    assert (found[:, 2] > 0).all()


class Unused(Network):
    """Holds a layer that its traced program never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Dropout(0.5))


def test_layers_that_a_script_never_calls_are_passed_over(tmp_path: Path) -> None:
    torch.manual_seed(0)
    loaded = _scripted("traced", Unused().eval(), tmp_path)
    assert switch_on(loaded) >= 2
    torch.manual_seed(0)
    first = loaded(_patches())
    assert not torch.equal(first, loaded(_patches()))
