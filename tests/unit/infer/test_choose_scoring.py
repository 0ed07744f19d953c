"""From settings to a way of scoring."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.choose_scoring import choose_scoring, describe_randomness
from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.infer.mc_dropout import DropoutBundle
from napari_medpatch.infer.scoring import AveragedScores, PlainScores


@pytest.mark.parametrize(
    ("settings", "looks"),
    [({"tta": 3}, 4), ({"mc_dropout": 5}, 5), ({"tta": 2, "mc_dropout": 4}, 12)],
)
def test_number_of_passes(mean_colour, settings, looks) -> None:
    bundle, method = choose_scoring(mean_colour(), ClassifySettings(**settings))
    assert isinstance(method, AveragedScores)
    assert len(method.looks) == looks
    assert isinstance(bundle, DropoutBundle) == ("mc_dropout" in settings)


def test_plain_by_default(mean_colour) -> None:
    bundle = mean_colour()
    same, method = choose_scoring(bundle, ClassifySettings())
    assert same is bundle
    assert isinstance(method, PlainScores)
    assert method.extra_names == ()


def test_views_and_passes_both_count(mean_colour) -> None:
    bundle = mean_colour()
    bundle.load = lambda device="cpu": torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(8 * 8 * 3, 2)
    ).eval()
    torch.manual_seed(0)
    patches = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8))
    dropping, method = choose_scoring(bundle, ClassifySettings(tta=2, mc_dropout=3))
    model = dropping.load()
    logits = [look(lambda p: model(p.float() / 255), patches, np.zeros((3, 2), np.int64)) for look in method.looks]
    assert len({tuple(one.flatten().tolist()) for one in logits}) == 9


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tta": -1}, "tta is -1"),
        ({"mc_dropout": -2}, "mc_dropout is -2"),
        ({"mc_dropout": 1}, "no spread"),
        ({"top_k": 0}, "top_k is 0"),
        ({"tta": 4, "exact": True}, "exclude each other"),
    ],
)
def test_settings_that_make_no_sense_are_refused(mean_colour, settings, sentence) -> None:
    with pytest.raises(SettingsError, match=sentence):
        choose_scoring(mean_colour(), ClassifySettings(**settings))


def test_a_multiple_instance_model_keeps_its_attention(patch_card) -> None:
    card = replace(patch_card(), task="slide-mil")
    method = AveragedScores(card, [lambda forward, patches, keys: forward(patches)] * 2)
    outputs = torch.tensor([[0.0, 0.0, 5.0]])
    assert method.columns == 3
    assert method.extra_names == ("uncertainty", "attention")
    assert method(lambda p: outputs, outputs, np.zeros((1, 2), np.int64)).tolist() == [[0.5, 0.5, 0.0, 5.0]]


def test_the_seed_counts_only_where_something_is_random() -> None:
    assert describe_randomness(ClassifySettings(seed=3)) == (0, 0, 0)
    assert describe_randomness(ClassifySettings(seed=3, tta=1)) == (1, 0, 3)
