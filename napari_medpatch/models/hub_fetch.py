"""Download a bundle from the Hugging Face hub; only what a bundle consists of, and only when asked to.

Run as a program it reports in lines of JSON, so that :mod:`napari_medpatch.models.hub_download` can show
how far it is and end it at once: the library itself cannot be interrupted.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_medpatch.errors import BundleError, MedPatchError
from napari_medpatch.models.bundle import CONFIG_NAME, README_NAME
from napari_medpatch.models.hub import HubName, cached_bundle_folder, parse_hub_name
from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME
from napari_medpatch.models.weights_file import WEIGHTS_NAME


def fetch_bundle(name: HubName) -> Path:
    """Download ``config.json``, ``README.md`` and the weights of a repository into the hub's cache.

    Files that are there already are not downloaded again; no account or token is needed.

    Parameters
    ----------
    name : HubName
        Which.

    Returns
    -------
    Path
        The snapshot folder, whose name is the commit.

    Raises
    ------
    BundleError
        If the hub cannot be reached, has no such repository, or it is no bundle.
    """
    folder = fetch_file(name, CONFIG_NAME).parent
    # The rest from the same commit, should the branch move meanwhile.
    fixed = HubName(name.repo, folder.name)
    for file in _weights_wanted(folder):
        if _fetch_if_there(fixed, file):
            break
    else:
        raise BundleError(
            f"{name} on the Hugging Face hub has neither {TORCHSCRIPT_NAME} nor {WEIGHTS_NAME}: it is no model bundle."
        )
    _fetch_if_there(fixed, README_NAME)
    return folder


def fetch_file(name: HubName, file: str) -> Path:
    """Download one file, or find it in the cache, and return where it lies.

    Raises
    ------
    BundleError
        If that fails.
    """
    from huggingface_hub import hf_hub_download

    with _hub_errors(name, file):
        return Path(hf_hub_download(name.repo, file, revision=name.revision, repo_type=name.kind))


def weights_size(name: HubName) -> int:
    """Return the size of a repository's weights in bytes, 0 if the hub does not say."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError

    for file in _weights_wanted(fetch_file(name, CONFIG_NAME).parent):
        with _hub_errors(name, file):
            try:
                return int(get_hf_file_metadata(hf_hub_url(name.repo, file, revision=name.revision)).size or 0)
            except EntryNotFoundError:
                continue
    return 0


def _weights_wanted(folder: Path) -> tuple[str, str]:
    """Return the weights files of a bundle, the one that defines the model first.

    The other is not fetched: it would be the same weights again.
    """
    try:
        ours = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8")).get("medpatch", {})
        hashed = ours.get("weights_sha256") is not None
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{folder / CONFIG_NAME} does not describe a model bundle ({error}).") from error
    return (WEIGHTS_NAME, TORCHSCRIPT_NAME) if hashed else (TORCHSCRIPT_NAME, WEIGHTS_NAME)


def _fetch_if_there(name: HubName, file: str) -> bool:
    """Download a file that a repository may lack."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    with _hub_errors(name, file):
        try:
            hf_hub_download(name.repo, file, revision=name.revision, repo_type=name.kind)
        except LocalEntryNotFoundError:
            raise  # Not found because the hub was not reached: that says nothing about the repository.
        except EntryNotFoundError:
            return False
    return True


@contextmanager
def _hub_errors(name: HubName, file: str) -> Iterator[None]:
    """Word what the hub's library raises."""
    from huggingface_hub import errors

    # Its HTTP errors derive from the HTTP library's own, which differs between its versions.
    http_error: type[Exception] = errors.HfHubHTTPError.__bases__[0]
    try:
        yield
    except errors.GatedRepoError as error:
        raise BundleError(
            f"The authors of {name} give it out on request only; ask for access on its page of the Hugging Face "
            "hub, then log in with 'hf auth login'."
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError) as error:
        raise BundleError(f"The Hugging Face hub has no {name}; check the name and revision.") from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise BundleError(_unreachable(name)) from error
    except errors.EntryNotFoundError as error:
        raise BundleError(f"{name} on the Hugging Face hub has no {file}: it is no model bundle.") from error
    except (OSError, http_error) as error:
        raise BundleError(
            f"{file} of {name} could not be downloaded ({_first_line(error)}); check the connection and the disk, "
            "then try again: what has arrived is kept."
        ) from error


def _unreachable(name: HubName) -> str:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return f"{name} cannot be downloaded because HF_HUB_OFFLINE is set; unset it and try again."
    return f"The Hugging Face hub could not be reached to download {name}; connect to the internet and try again."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def main(argument: str) -> int:
    """Download a bundle; write its size, then its folder or what went wrong, as lines of JSON."""
    try:
        name = parse_hub_name(argument)
        _say({"bytes": weights_size(name) if cached_bundle_folder(name) is None else 0})
        _say({"folder": str(fetch_bundle(name))})
    except MedPatchError as error:
        _say({"error": str(error)})
        return 2
    return 0


def _say(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
