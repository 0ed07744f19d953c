from pathlib import Path

import pytest
from fake_hub import BREAST, COMMIT, put, put_all

from napari_medpatch.errors import BundleError
from napari_medpatch.models import hub as hub_module
from napari_medpatch.models.hub import (
    HubName,
    cached_bundle_folder,
    checked_sha256,
    is_hub_name,
    parse_hub_name,
    snapshot_folder,
)

FILES = {"config.json": b"{}", "torchscript_model.pt": b"weights"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (BREAST, HubName(BREAST)),
        ("a/b@v1.0", HubName("a/b", "v1.0")),
        (f"a/b@{COMMIT}", HubName("a/b", COMMIT)),
        ("a/b@refs/pr/3", HubName("a/b", "refs/pr/3")),
    ],
)
def test_names_are_owner_and_repository(text: str, name: HubName) -> None:
    assert is_hub_name(text)
    assert parse_hub_name(text) == name


@pytest.mark.parametrize(
    "text", ["breast", "a/b/c", "../b", "a/..", "a/b@..", "a/b@x/../../y", "/a/b", "a/b@", "C:/x", ""]
)
def test_paths_are_no_names(text: str) -> None:
    assert not is_hub_name(text)
    with pytest.raises(BundleError, match="has the form owner/name"):
        parse_hub_name(text)


def test_tests_run_without_a_network_and_without_the_users_downloads() -> None:
    from huggingface_hub import constants

    assert constants.HF_HUB_OFFLINE
    assert not Path(constants.HF_HUB_CACHE).exists()


def test_an_empty_cache_has_nothing(hub_cache: Path) -> None:
    assert hub_module.hub_cache() == hub_cache
    assert cached_bundle_folder(HubName(BREAST)) is None


@pytest.mark.parametrize("revision", ["main", "v1", "refs/pr/1"])
def test_the_cache_is_read_as_the_hubs_library_reads_it(hub_cache: Path, revision: str) -> None:
    from huggingface_hub import try_to_load_from_cache

    put_all(hub_cache, BREAST, FILES, revision=revision)
    theirs = try_to_load_from_cache(BREAST, "config.json", revision=revision)
    assert isinstance(theirs, str)
    assert cached_bundle_folder(HubName(BREAST, revision)) == Path(theirs).parent
    assert cached_bundle_folder(HubName(BREAST, "other")) is None
    assert cached_bundle_folder(HubName(BREAST, COMMIT)) == Path(theirs).parent


def test_half_a_download_is_no_bundle(hub_cache: Path) -> None:
    put(hub_cache, BREAST, "config.json", b"{}")
    assert snapshot_folder(HubName(BREAST)) is not None
    assert cached_bundle_folder(HubName(BREAST)) is None
    weights = put(hub_cache, BREAST, "torchscript_model.pt", b"weights")
    assert cached_bundle_folder(HubName(BREAST)) is not None
    weights.resolve().unlink()
    assert cached_bundle_folder(HubName(BREAST)) is None


def test_a_data_set_is_kept_apart_from_a_model(hub_cache: Path) -> None:
    put_all(hub_cache, BREAST, FILES, kind="dataset")
    assert snapshot_folder(HubName(BREAST)) is None
    assert snapshot_folder(HubName(BREAST, kind="dataset")) is not None


def test_the_hash_is_that_of_the_content(hub_cache: Path, tmp_path: Path) -> None:
    path = put(hub_cache, BREAST, "torchscript_model.pt", b"weights")
    assert checked_sha256(path) == path.resolve().name
    plain = tmp_path / "not-in-the-cache"
    plain.write_bytes(b"weights")
    assert checked_sha256(plain) == path.resolve().name


def test_a_damaged_file_is_noticed(hub_cache: Path) -> None:
    path = put(hub_cache, BREAST, "torchscript_model.pt", b"weights")
    path.resolve().write_bytes(b"wei")
    with pytest.raises(BundleError, match=r"torchscript_model\.pt of models--kaczmarj--breast.* is damaged .*download"):
        checked_sha256(path)
