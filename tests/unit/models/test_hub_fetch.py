import json
from types import SimpleNamespace

import pytest
from fake_hub import BREAST, COMMIT, Hub, response

from napari_medpatch.errors import BundleError
from napari_medpatch.models import hub_fetch
from napari_medpatch.models.hub import HubName, cached_bundle_folder

NAME = HubName(BREAST)


@pytest.fixture
def served(hub: Hub, breast_files: dict[str, bytes]) -> Hub:
    hub.repos[BREAST] = breast_files | {"model.safetensors": b"the same weights again", "pytorch_model.bin": b""}
    return hub


def test_only_a_bundles_files_are_fetched_all_of_one_commit(served: Hub) -> None:
    folder = hub_fetch.fetch_bundle(NAME)
    assert served.asked == [
        (BREAST, "config.json", "main"),
        (BREAST, "torchscript_model.pt", COMMIT),
        (BREAST, "README.md", COMMIT),
    ]
    assert cached_bundle_folder(NAME) == folder


def test_our_own_bundles_come_with_safetensors(served: Hub) -> None:
    config = json.loads(served.repos[BREAST]["config.json"]) | {"medpatch": {"weights_sha256": "ab"}}
    served.repos[BREAST]["config.json"] = json.dumps(config).encode()
    hub_fetch.fetch_bundle(NAME)
    assert [file for _, file, _ in served.asked] == ["config.json", "model.safetensors", "README.md"]


def test_safetensors_do_where_there_is_no_torchscript(served: Hub) -> None:
    del served.repos[BREAST]["torchscript_model.pt"], served.repos[BREAST]["README.md"]
    folder = hub_fetch.fetch_bundle(NAME)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize("missing", ["config.json", "torchscript_model.pt"])
def test_a_repository_that_is_no_bundle(served: Hub, missing: str) -> None:
    served.repos[BREAST].pop("model.safetensors")
    del served.repos[BREAST][missing]
    with pytest.raises(BundleError, match="it is no model bundle"):
        hub_fetch.fetch_bundle(NAME)


def test_a_description_that_is_no_json(served: Hub) -> None:
    served.repos[BREAST]["config.json"] = b"<html>"
    with pytest.raises(BundleError, match="does not describe a model bundle"):
        hub_fetch.fetch_bundle(NAME)


def failures() -> list[tuple[Exception, str]]:
    from huggingface_hub import errors

    http = errors.HfHubHTTPError.__bases__[0]
    return [
        (errors.GatedRepoError("403", response=response()), "ask for access"),
        (errors.RepositoryNotFoundError("404", response=response()), f"has no {BREAST}; check the name"),
        (errors.RevisionNotFoundError("404", response=response()), "check the name and revision"),
        (errors.LocalEntryNotFoundError("no connection"), "could not be reached"),
        (errors.OfflineModeIsEnabled("offline"), "could not be reached"),
        (errors.HfHubHTTPError("500 Server Error\nmore", response=response()), r"\(500 Server Error\); check"),
        (http("read timed out"), r"\(read timed out\); check"),
        (OSError(28, "No space left on device"), "No space left on device.*the disk"),
    ]


@pytest.mark.parametrize(("failure", "words"), failures(), ids=lambda value: type(value).__name__)
def test_every_failure_is_one_sentence(
    served: Hub, monkeypatch: pytest.MonkeyPatch, failure: Exception, words: str
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    served.failure = failure
    with pytest.raises(BundleError, match=words) as caught:
        hub_fetch.fetch_bundle(NAME)
    assert "\n" not in str(caught.value)


def test_the_switch_that_forbids_the_network_is_named(served: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants, errors

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    served.failure = errors.LocalEntryNotFoundError("offline")
    with pytest.raises(BundleError, match="because HF_HUB_OFFLINE is set; unset it"):
        hub_fetch.fetch_bundle(NAME)


def test_a_connection_lost_between_files_is_not_taken_for_a_missing_file(
    served: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import errors

    folder = hub_fetch.fetch_bundle(NAME)
    (folder / "torchscript_model.pt").unlink()
    answer = served.hf_hub_download

    def lost(repo: str, file: str, **options: str) -> str:
        if file == "torchscript_model.pt":
            raise errors.LocalEntryNotFoundError("no connection")
        return answer(repo, file, **options)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", lost)
    with pytest.raises(BundleError, match=r"HF_HUB_OFFLINE|could not be reached"):
        hub_fetch.fetch_bundle(NAME)


def test_the_program_says_size_and_folder(
    served: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", lambda url: SimpleNamespace(size=4_000_000))
    assert hub_fetch.main(BREAST) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said == [{"bytes": 4_000_000}, {"folder": str(cached_bundle_folder(NAME))}]


def test_the_program_says_what_went_wrong(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert hub_fetch.main("nobody/nothing") == 2
    assert "has no nobody/nothing" in json.loads(capsys.readouterr().out)["error"]
