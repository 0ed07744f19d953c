"""One classification run: what is left to score, scoring it, keeping it."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch import __version__
from napari_medpatch.errors import DamagedFileError
from napari_medpatch.events import Event, Finished, Job, Noted, PatchesScored, Started
from napari_medpatch.infer.aggregate import slide_score
from napari_medpatch.infer.choose_scoring import choose_scoring, describe_randomness
from napari_medpatch.infer.classify_outputs import ClassifyFiles, cells_of, shown_extras
from napari_medpatch.infer.classify_result import ClassifyResult, ClassifySettings
from napari_medpatch.infer.feed import Feed, PatchReader
from napari_medpatch.infer.level_gate import Agreed, agreeing_level, coarser_levels
from napari_medpatch.infer.precision_gate import agreeing_half, may_halve
from napari_medpatch.infer.resumed_scorer import resumed_scorer
from napari_medpatch.infer.run_record import describe_model, describe_region, describe_source, digest, versions
from napari_medpatch.infer.score_store import Keys, ScoreStore, Values, in_whole_batches
from napari_medpatch.infer.scoring import check_scores, split_scores
from napari_medpatch.infer.tissue_search import SPEAK_SECONDS
from napari_medpatch.io.scores import Extras, PatchScores
from napari_medpatch.io.source import Source
from napari_medpatch.patches.grid import PatchGrid, PatchScale
from napari_medpatch.patches.stitch import empty_map, gather, scatter

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.patches.roi import Region


class ClassifyRun:
    """One run over a grid: scores what is missing, keeps it, writes the results.

    Parameters
    ----------
    source : Source
        The image.
    bundle : Bundle
        The classifier.
    settings : ClassifySettings
        How.
    scale : PatchScale
        At which resolution to read.
    grid : PatchGrid
        The patches.
    files : ClassifyFiles or None
        Where results go.
    image : str
        Fingerprint of the image.
    roi : Region, optional
        The region of interest that limited the grid, for the record.
    tissue : str
        For the record: the mask was ``"found"``, ``"corrected"`` by the user or ``"given"``.
    keep : Path, optional
        Folder of scores while the run is under way, where there are no files.

    Raises
    ------
    SettingsError
        If settings are out of range or exclude each other.
    """

    def __init__(
        self,
        source: Source,
        bundle: "Bundle",
        settings: ClassifySettings,
        scale: PatchScale,
        grid: PatchGrid,
        files: ClassifyFiles | None,
        image: str,
        roi: "Region | None" = None,
        tissue: str = "given",
        keep: Path | None = None,
    ) -> None:
        self.source, self.settings, self.grid, self.roi = source, settings, grid, roi
        self.tissue = tissue
        self.bundle, self.method = choose_scoring(bundle, settings)
        self.files = replace(files, compress=settings.compress) if files is not None else None
        self.parts = files.parts if files is not None else keep
        self.level = 0
        self.levels = [] if settings.exact else coarser_levels(source, scale.downsample)
        self.names = bundle.card.class_names
        self.extra_names = self.method.extra_names
        self.columns = len(self.names) + len(self.extra_names)
        self.map = empty_map(grid.rows, grid.cols, self.columns)
        self.model = describe_model(bundle)
        self.image = image
        self.fingerprint = digest(
            image, self.model["digest"], __version__, settings.precision, settings.exact,
            self.levels, describe_randomness(settings), grid.boxes(),
        )  # fmt: skip

    def events(self, began: float) -> Job:
        """Yield the job's events from :class:`Started` on; ``began`` is the ``perf_counter`` of its start."""
        started = datetime.now(UTC) - timedelta(seconds=time.perf_counter() - began)
        earlier = self.files.finished(self.fingerprint, self.grid) if self.files and self.settings.resume else None
        if earlier is not None:
            yield from self._read_back(*earlier)
            return
        store = ScoreStore(self.parts, self.fingerprint, self.columns, resume=self.settings.resume)
        scorer, noted = resumed_scorer(
            self.bundle, self.method, self.settings, store, self.grid.cells, exact=self.settings.exact
        )
        yield from self._choose_level(scorer, store)
        scorer = yield from self._choose_precision(scorer, store)
        todo = self._unscored(store, scorer.batch_size)
        kept = self.grid.cells[~todo]
        yield self._started(len(kept))
        if noted:
            yield Noted(noted)
        if len(kept):
            yield self._scored(kept, gather(self.map, kept), len(kept))
        yield from self._score(scorer, todo, store, len(kept))
        result = self._result(self._provenance(scorer, len(kept), started, time.perf_counter() - began))
        if self.files is not None:
            self.files.write(result, self.source.spacing, self.bundle.card.threshold)
        store.remove()
        yield Finished(result)

    def _read_back(self, scores: PatchScores, record: Mapping[str, Any]) -> Iterator[Event]:
        """Yield the events of a finished run; its files are written anew if the settings ask for other ones."""
        assert self.files is not None
        # A run that was killed after its last file left parts behind.
        ScoreStore(self.files.parts, self.fingerprint, self.columns, resume=False).remove()
        total = len(self.grid.cells)
        yield self._started(total)
        yield self._scored(*cells_of(scores, self.grid), total)
        provenance = {key: value for key, value in record.items() if key != "score"}
        if self.files.complete and record.get("settings", {}).get("top_k") == self.settings.top_k:
            yield Finished(replace(self._result(provenance), score=record.get("score", {})))
            return
        result = self._result(provenance | {"settings": asdict(self.settings)})
        self.files.write(result, self.source.spacing, self.bundle.card.threshold, again=True)
        yield Finished(result)

    def _choose_level(self, scorer: "PatchScorer", store: ScoreStore) -> Generator[Event, None, None]:
        """Look at which level patches score as at level 0; says so every second, which also lets Stop in.

        A run that goes on reads from the level of the one that was stopped: another device may judge otherwise.
        """
        earlier = store.level()
        if earlier in (0, *self.levels):
            self.level = earlier
            return
        yield from self._try_levels(scorer)
        store.keep_level(self.level)

    def _try_levels(self, scorer: "PatchScorer") -> Generator[Event, None, None]:
        spoke = time.monotonic()
        with closing(agreeing_level(self.source, self.grid.boxes(), self.levels, scorer)) as trial:
            while (step := next(trial, None)) is not None:
                if isinstance(step, Agreed):
                    self.level = step.level
                elif time.monotonic() - spoke > SPEAK_SECONDS:
                    spoke = time.monotonic()
                    yield Noted(f"Comparing scores at level {step} of {self.source.path.name} with those at level 0.")

    def _choose_precision(self, scorer: "PatchScorer", store: ScoreStore) -> "Generator[Event, None, PatchScorer]":
        """Return the classifier in bfloat16 if a sample allows it; a run that goes on keeps its precision."""
        boxes = self.grid.boxes()
        if store.precision() or not may_halve(scorer, self.settings, len(boxes)):
            return scorer
        trial = agreeing_half(self.source, boxes, self.level, scorer, self.bundle)
        spoke = time.monotonic()
        with closing(trial):
            while True:
                try:
                    next(trial)
                except StopIteration as end:
                    scorer = end.value
                    break
                if time.monotonic() - spoke > SPEAK_SECONDS:
                    spoke = time.monotonic()
                    yield Noted("Comparing scores in bfloat16 with those in float32.")
        store.describe(scorer.device.type, scorer.batch_size, scorer.precision)
        return scorer

    def _started(self, done: int) -> Started:
        context = {"grid": self.grid, "class_names": self.names, "extra_names": self.extra_names}
        return Started(len(self.grid.cells), "patches", done, context)

    def _unscored(self, store: ScoreStore, batch_size: int) -> npt.NDArray[np.bool_]:
        """Return which of the grid's cells are to score, in whole batches."""
        scatter(self.map, *store.load())
        return in_whole_batches(np.isnan(gather(self.map, self.grid.cells)[:, 0]), batch_size)

    def _score(
        self, scorer: "PatchScorer", todo: npt.NDArray[np.bool_], store: ScoreStore, done: int
    ) -> Iterator[Event]:
        with closing(self._feed(todo, scorer)) as feed, closing(scorer.stream(feed)) as scored:
            try:
                for batch, values in scored:
                    feed.batch_size = scorer.batch_size
                    check_scores(values, self.bundle.card)
                    done += len(values)
                    cells = self.grid.cells[batch.index]
                    store.add(cells, values)
                    yield self._scored(cells, values, done)
            except (DamagedFileError, OSError) as error:
                raise DamagedFileError(self._unreadable(error, done)) from error
            finally:
                store.flush()

    def _unreadable(self, error: Exception, done: int) -> str:
        """Say that the image could not be read to its end, and what became of the scores so far."""
        path = self.source.path
        what = "cannot be read any further" if path.exists() else "was moved or deleted while it was read"
        fate = "are not stored, because no output folder was given"
        if self.parts is not None:
            fate = f"are kept in {self.parts}; run it again to go on from there"
        return f"{path.name} {what} ({str(error).rstrip('.')}); the scores of {done} patches {fate}."

    def _feed(self, todo: npt.NDArray[np.bool_], scorer: "PatchScorer") -> Feed:
        exact, card = self.settings.exact, self.bundle.card
        # Black beyond the edge is what WSInfer's models were judged on, so the fast path has it too.
        target = None if exact else scorer.input_shape
        reader = PatchReader(self.source, self.grid.boxes(), self.level, black_outside=True, target=target)
        chunks = [part for chunk in reader.chunks() if len(part := chunk[todo[chunk]])]

        def load_exact(index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
            from PIL import Image

            from napari_medpatch.models.preprocess import reference_transform

            return np.stack([reference_transform(Image.fromarray(p), card).numpy() for p in reader.load(index)])

        load = load_exact if exact else reader.load
        return scorer.feed(chunks, load, threads=self.settings.threads)

    def _scored(self, cells: Keys, values: Values, done: int) -> PatchesScored:
        scatter(self.map, cells, values)
        return PatchesScored(done, cells, self.grid.boxes(cells), *self._split(values))

    def _split(self, values: Values) -> tuple[Values, Extras]:
        return split_scores(values, len(self.names), self.extra_names)

    def _result(self, provenance: Mapping[str, Any]) -> ClassifyResult:
        probabilities, extras = self._split(self.map)
        attention = shown_extras(extras).get("attention")
        threshold = self.bundle.card.threshold
        score = slide_score(
            probabilities,
            self.names,
            top_k=self.settings.top_k,
            threshold=0.5 if threshold is None else threshold,
            attention=attention,
        )
        written = self.files.all if self.files is not None else ()
        return ClassifyResult(self.grid, probabilities, self.names, score, written, provenance, extras)

    def _provenance(self, scorer: "PatchScorer", resumed: int, started: datetime, seconds: float) -> dict[str, Any]:
        grid = self.grid
        return {
            "task": "classify",
            "source": describe_source(self.source),
            "source_digest": self.image,
            "model": self.model,
            "settings": asdict(self.settings),
            "grid": {
                "rows": grid.rows, "cols": grid.cols, "patch_px": list(grid.patch_px),
                "stride_px": list(grid.stride_px), "origin_px": list(grid.origin), "level": self.level,
            },
            "tissue": self.tissue,
            "roi": describe_region(self.roi, self.source.spacing),
            "patches": len(grid.cells),
            "extras": list(self.extra_names),
            "started": started.isoformat(timespec="seconds"),
            "resumed": resumed,
            "seconds": round(seconds, 3),
            "device": ",".join(map(str, scorer.devices)),
            "precision": scorer.precision,
            "batch_size": scorer.batch_size,
            "versions": versions(),
            "fingerprint": self.fingerprint,
        }  # fmt: skip
