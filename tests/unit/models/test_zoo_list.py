import json
import logging
from pathlib import Path

import pytest
from fake_hub import BREAST, Hub, put, put_all

from napari_medpatch.errors import BundleError
from napari_medpatch.models.hub import HubName
from napari_medpatch.models.zoo_list import PUBLISHED, REGISTRY, REGISTRY_FILE, list_zoo, read_registry


def registry(**models: dict[str, str]) -> bytes:
    return json.dumps({"models": {name.replace("_", "-"): entry for name, entry in models.items()}}).encode()


def entry(repo: str, revision: str = "main", description: str = "New") -> dict[str, str]:
    return {"description": description, "hf_repo_id": repo, "hf_revision": revision}


def test_the_published_models_are_known_without_a_network(hub_cache: Path) -> None:
    models = list_zoo()
    assert len(models) == 8
    assert [model.name for model in models] == sorted(model.name for model in PUBLISHED)
    breast = next(model for model in models if model.name.startswith("breast"))
    assert (breast.hub, breast.class_names) == (HubName(BREAST), ("Other", "Tumor"))
    assert (breast.patch_size_pixels, breast.spacing_um_px) == (350, 0.25)
    assert not any(model.cached for model in models)


def test_a_downloaded_model_is_marked(hub_cache: Path) -> None:
    put_all(hub_cache, BREAST, {"config.json": b"{}", "torchscript_model.pt": b"x"})
    assert [model.name for model in list_zoo() if model.cached] == [BREAST.partition("/")[2]]


def test_the_downloaded_registry_adds_and_corrects(hub_cache: Path) -> None:
    known = {BREAST.partition("/")[2]: entry(BREAST, "v2", "Better"), "new-model": entry("lab/new")}
    put(hub_cache, REGISTRY.repo, REGISTRY_FILE, json.dumps({"models": known}).encode(), kind="dataset")
    models = {model.name: model for model in list_zoo()}
    assert len(models) == 9
    assert models["new-model"].hub == HubName("lab/new")
    breast = models[BREAST.partition("/")[2]]
    assert (breast.hub.revision, breast.description, breast.patch_size_pixels) == ("v2", "Better", 350)


def test_the_registry_is_fetched_only_on_request(hub: Hub) -> None:
    hub.repos[REGISTRY.repo] = {REGISTRY_FILE: registry(new_model=entry("lab/new"))}
    assert len(list_zoo()) == 8
    assert hub.asked == []
    assert "new-model" in {model.name for model in list_zoo(download=True)}
    assert hub.asked == [(REGISTRY.repo, REGISTRY_FILE, "main")]
    assert "new-model" in {model.name for model in list_zoo()}


def test_a_registry_out_of_reach_is_an_error_only_when_asked_for(hub: Hub) -> None:
    hub.failure = ConnectionError("no route")
    with pytest.raises(BundleError, match="no route"):
        list_zoo(download=True)
    assert len(list_zoo()) == 8


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"models": {"x": {"description": "", "hf_repo_id": "a/b"}}}',
        b'{"models": {"x": {"description": "", "hf_repo_id": "../b", "hf_revision": "main"}}}',
    ],
)
def test_a_damaged_registry(hub_cache: Path, caplog: pytest.LogCaptureFixture, content: bytes) -> None:
    path = put(hub_cache, REGISTRY.repo, REGISTRY_FILE, content, kind="dataset")
    with pytest.raises(BundleError, match="is not a registry of the WSInfer zoo"):
        read_registry(path)
    with caplog.at_level(logging.WARNING):
        assert len(list_zoo()) == 8
    assert "Skipped the registry" in caplog.text
