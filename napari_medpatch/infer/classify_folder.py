"""Classify a folder of patch-sized images."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, DamagedFileError, MedPatchError
from napari_medpatch.events import Event, Finished, Job, Noted, PatchesScored, Started
from napari_medpatch.infer.choose_scoring import choose_scoring, describe_randomness
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifySettings
from napari_medpatch.infer.folder_images import find_images, network_sized
from napari_medpatch.infer.resumed_scorer import resumed_scorer
from napari_medpatch.infer.run_record import describe_model, digest, plain, versions
from napari_medpatch.infer.score_store import Keys, ScoreStore, Values, in_whole_batches, read_record
from napari_medpatch.infer.scoring import check_scores, split_scores
from napari_medpatch.io.atomic import check_writable, write_json
from napari_medpatch.io.photo_file import read_photo
from napari_medpatch.io.score_csv import read_image_scores, write_image_scores
from napari_medpatch.io.scores import Extras, ImageScores

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer
    from napari_medpatch.models.bundle import Bundle

_CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class FolderResult:
    """Scores of the images of a folder.

    Parameters
    ----------
    scores : ImageScores
        Of the readable images, in the order of their paths.
    unreadable : tuple of str
        Images that were left out.
    files : tuple of Path
        ``scores.csv`` and the record of the run, ``scores.json``.
    provenance : mapping
        JSON-serialisable record of the run.
    """

    scores: ImageScores
    unreadable: tuple[str, ...]
    files: tuple[Path, ...]
    provenance: dict[str, Any] = field(default_factory=dict)


def classify_folder(
    folder: Path | str, bundle: "Bundle", settings: ClassifySettings = DEFAULTS, *, out: Path | str
) -> Job:
    """Score every image of a folder and its sub-folders with a patch classifier.

    Parameters
    ----------
    folder : path-like
        Images of any size; each is resized as a whole to what the network sees.
    bundle : Bundle
        A patch classifier.
    settings : ClassifySettings
        Device, precision, batch size, threads, resume, test-time augmentation and Monte-Carlo dropout are used.
    out : path-like
        Folder of ``scores.csv`` (``file,prob_<class>…``, and ``uncertainty`` where a patch is looked at several
        times) and ``scores.json``. A stopped run resumes, a
        finished one is read back.

    Yields
    ------
    Event
        :class:`Started` with ``context`` ``files``, ``class_names`` and ``extra_names``;
        :class:`PatchesScored` whose cells are ``(index of the file, 0)``;
        :class:`Noted` for each file that cannot be read; :class:`Finished` with a :class:`FolderResult`.

    Raises
    ------
    UnsupportedFormatError
        If the folder holds no images.
    DamagedFileError
        If none of them can be read.
    BundleError
        If the model is no patch classifier, cannot be loaded or gives no numbers.
    SettingsError
        If settings are out of range.
    OutputError
        If ``out`` cannot be written.
    """
    folder, target = Path(folder), Path(out) / "scores.csv"
    if bundle.card.task != "patch-classifier":
        raise BundleError(f"Model {bundle.card.name} is a {bundle.card.task} model, not a patch classifier.")
    check_writable(target)
    yield from _FolderRun(folder, find_images(folder), bundle, settings, target).events()


class _FolderRun:
    """One run over the images of a folder."""

    def __init__(
        self, folder: Path, names: list[str], bundle: "Bundle", settings: ClassifySettings, target: Path
    ) -> None:
        self.folder, self.names, self.settings, self.target = folder, names, settings, target
        # Whole images are resized before they are scored, in the exact path and in the other.
        self.bundle, self.method = choose_scoring(bundle, replace(settings, exact=False))
        self.record = target.with_suffix(".json")
        self.model = describe_model(bundle)
        self.classes = bundle.card.class_names
        self.columns = len(self.classes) + len(self.method.extra_names)
        self.values = np.full((len(names), self.columns), np.nan, np.float32)
        self.unreadable: dict[int, str] = {}
        stats = [(folder / name).stat() for name in names]
        listing = [(name, s.st_size, s.st_mtime_ns) for name, s in zip(names, stats, strict=True)]
        self.fingerprint = digest(
            str(folder.resolve()), listing, self.model["digest"], settings.precision, describe_randomness(settings)
        )

    def events(self) -> Job:
        began = time.perf_counter()
        context = {"files": self.names, "class_names": self.classes, "extra_names": self.method.extra_names}
        if self.settings.resume and (earlier := self._finished()) is not None:
            yield Started(len(self.names), "images", len(self.names), context)
            yield Finished(earlier)
            return
        store = ScoreStore(
            self.target.with_suffix(".parts"), self.fingerprint, self.columns, resume=self.settings.resume
        )
        scorer, noted = resumed_scorer(self.bundle, self.method, self.settings, store)
        cells, values = store.load()
        self.values[cells[:, 0]] = values
        todo = in_whole_batches(np.isnan(self.values[:, 0]), scorer.batch_size)
        kept = np.flatnonzero(~todo)
        yield Started(len(self.names), "images", len(kept), context)
        if noted:
            yield Noted(noted)
        if len(kept):
            yield self._scored(len(kept), kept, self.values[kept])
        yield from self._score_rest(scorer, np.flatnonzero(todo), store)
        if len(self.unreadable) == len(self.names):
            raise DamagedFileError(f"None of the {len(self.names)} images in {self.folder} can be read.")
        yield Finished(self._finish(store, len(kept), time.perf_counter() - began))

    def _score_rest(self, scorer: "PatchScorer", todo: npt.NDArray[np.int64], store: ScoreStore) -> Iterator[Event]:
        done = len(self.names) - len(todo)
        chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
        told: set[int] = set()
        with (
            closing(scorer.feed(chunks, self._load, threads=self.settings.threads)) as feed,
            closing(scorer.stream(feed)) as stream,
        ):
            try:
                for batch, scored in stream:
                    feed.batch_size = scorer.batch_size
                    good = ~np.isin(batch.index, list(self.unreadable))
                    index, values = batch.index[good], scored[good]
                    check_scores(values, self.bundle.card)
                    self.values[index] = values
                    done += len(batch.index)
                    store.add(_keys(index), values)
                    yield self._scored(done, index, values)
                    for item in [i for i in batch.index.tolist() if i in self.unreadable and i not in told]:
                        told.add(item)
                        yield Noted(f"Left out: {self.unreadable[item]}", "warning")
            finally:
                store.flush()

    def _load(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Read and resize images; an unreadable one is noted and stands as black until it is dropped."""
        pictures = []
        for item in index.tolist():
            try:
                pictures.append(network_sized(read_photo(self.folder / self.names[item]).pixels, self.bundle.card))
            except MedPatchError as error:
                self.unreadable[item] = str(error)
                pictures.append(network_sized(np.zeros((8, 8, 3), np.uint8), self.bundle.card))
        return np.stack(pictures)

    def _finish(self, store: ScoreStore, resumed: int, seconds: float) -> FolderResult:
        read = [i for i in range(len(self.names)) if i not in self.unreadable]
        probabilities, extras = self._split(self.values[read])
        scores = ImageScores(tuple(self.names[i] for i in read), probabilities, self.classes, extras)
        record: dict[str, Any] = {
            "task": "classify-folder",
            "folder": str(self.folder),
            "model": self.model,
            "settings": asdict(self.settings),
            "images": len(read),
            "unreadable": [self.names[i] for i in sorted(self.unreadable)],
            "started": (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
            "resumed": resumed,
            "seconds": round(seconds, 3),
            "versions": versions(),
            "fingerprint": self.fingerprint,
        }
        # An old record must not vouch for a new table if writing stops half-way.
        self.record.unlink(missing_ok=True)
        write_image_scores(self.target, scores)
        write_json(self.record, plain(record))
        store.remove()
        return FolderResult(scores, tuple(record["unreadable"]), (self.target, self.record), record)

    def _finished(self) -> FolderResult | None:
        """Return the result of a finished run of this fingerprint, None if there is none."""
        record = read_record(self.record)
        if record.get("fingerprint") != self.fingerprint:
            return None
        try:
            scores = read_image_scores(self.target)
        except MedPatchError:
            return None
        return FolderResult(scores, tuple(record.get("unreadable", ())), (self.target, self.record), record)

    def _scored(self, done: int, index: npt.NDArray[np.int64], values: Values) -> PatchesScored:
        return PatchesScored(done, _keys(index), np.zeros((len(index), 4), np.int64), *self._split(values))

    def _split(self, values: Values) -> tuple[Values, Extras]:
        return split_scores(values, len(self.classes), self.method.extra_names)


def _keys(index: npt.NDArray[np.int64]) -> Keys:
    return np.stack([index, np.zeros_like(index)], axis=1)
