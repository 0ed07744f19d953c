"""A Hugging Face hub that is a folder."""

from pathlib import Path

import pytest
from fake_hub import Hub, zoo_files


@pytest.fixture(scope="session")
def breast_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small model as the zoo publishes them; copy before changing."""
    return zoo_files(tmp_path_factory.mktemp("zoo"))


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    return cache


@pytest.fixture
def hub(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub whose network functions answer from memory."""
    import huggingface_hub

    served = Hub(hub_cache)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", served.hf_hub_download)
    return served
