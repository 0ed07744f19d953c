"""The files of a classified image: table, tiles for QuPath, map of values, record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import MedPatchError, OutputError
from napari_medpatch.infer.attention import relative_attention
from napari_medpatch.infer.run_record import plain
from napari_medpatch.infer.score_store import Keys, Values, read_record
from napari_medpatch.io.atomic import check_writable, write_json
from napari_medpatch.io.geojson import write_patches_geojson
from napari_medpatch.io.score_csv import read_patch_scores, write_patch_scores
from napari_medpatch.io.scores import Extras, PatchScores
from napari_medpatch.patches.stitch import gather

if TYPE_CHECKING:
    from napari_medpatch.geometry import Spacing
    from napari_medpatch.infer.classify_result import ClassifyResult
    from napari_medpatch.patches.grid import PatchGrid


@dataclass(frozen=True, slots=True)
class ClassifyFiles:
    """Where the results of one image go.

    Parameters
    ----------
    folder : Path
        Created when the first file is written.
    stem : str
        The image's name without its last suffix.
    compress : bool
        Whether the tiles are gzipped.
    """

    folder: Path
    stem: str
    compress: bool = False

    @property
    def table(self) -> Path:
        """``minx,miny,width,height,prob_<class>…``, one row per patch."""
        return self.folder / f"{self.stem}.csv"

    @property
    def tiles(self) -> Path:
        """Tiles for QuPath, ``.geojson`` or ``.geojson.gz``."""
        return self.folder / f"{self.stem}.geojson{'.gz' if self.compress else ''}"

    @property
    def map(self) -> Path:
        """Probabilities on the patch grid, float32, one channel per class, then the extras."""
        return self.folder / f"{self.stem}.ome.tiff"

    @property
    def record(self) -> Path:
        """Slide score and run record; written last, so that it means that all is there."""
        return self.folder / f"{self.stem}.json"

    @property
    def parts(self) -> Path:
        """Folder of scores while the run is under way."""
        return self.folder / f"{self.stem}.parts"

    @property
    def all(self) -> tuple[Path, ...]:
        """The four files."""
        return (self.table, self.tiles, self.map, self.record)

    @property
    def complete(self) -> bool:
        """Whether the four files are there."""
        return all(path.is_file() for path in self.all)

    @classmethod
    def of(cls, folder: Path, source: Path) -> "ClassifyFiles":
        """Name the files after an image; the dots in a folder's name are no suffixes."""
        return cls(folder, (source.name if source.is_dir() else source.stem) or "untitled")

    def check(self, source: Path, source_digest: str) -> None:
        """Refuse a folder that cannot be written, or results of another image of the same name.

        Raises
        ------
        OutputError
            If the folder is not writable or would lose another image's results.
        """
        check_writable(self.table)
        earlier = read_record(self.record)
        if earlier and earlier.get("source_digest") not in (None, source_digest):
            of = str(earlier.get("source", {}).get("file", "another image"))
            if of != str(source):
                raise OutputError(
                    f"{self.record} holds the results of {of}, an image of the same name; choose another folder."
                )

    def finished(self, fingerprint: str, grid: "PatchGrid") -> tuple[PatchScores, Mapping[str, Any]] | None:
        """Return scores and record of a finished run of this fingerprint, None if there is none."""
        record = read_record(self.record)
        if record.get("fingerprint") != fingerprint:
            return None
        try:
            scores = read_patch_scores(self.table)
        except MedPatchError:
            return None
        # Somebody may have edited the table.
        return (scores, record) if np.array_equal(scores.boxes, grid.boxes(row_by_row(grid))) else None

    def write(
        self, result: "ClassifyResult", spacing: "Spacing | None", threshold: float | None, *, again: bool = False
    ) -> None:
        """Write the four files, each atomically, the record last; the same result gives the same bytes.

        Parameters
        ----------
        result : ClassifyResult
            What to write.
        spacing : Spacing or None
            Of the image.
        threshold : float or None
            Operating point of a binary model.
        again : bool
            The scores are those that the files hold already, so that the old record stays until the new one is
            written; otherwise it is removed first, lest it vouch for new files if writing stops half-way.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        if not again:
            self.record.unlink(missing_ok=True)
        self._sweep()
        scores = sorted_scores(result)
        write_patch_scores(self.table, scores)
        write_patches_geojson(
            self.tiles, scores, threshold=threshold, identity=str(result.provenance.get("fingerprint", self.stem))
        )
        _write_map(result, spacing, self.map)
        write_json(self.record, plain({"score": result.score, **result.provenance}))

    def _sweep(self) -> None:
        """Remove the other form of the tiles, and what a killed process left half-written."""
        replace(self, compress=not self.compress).tiles.unlink(missing_ok=True)
        own = tuple(f"-{path.name}" for path in self.all)
        for path in self.folder.glob(".tmp-*"):
            if path.name.endswith(own):
                path.unlink(missing_ok=True)


def sorted_scores(result: "ClassifyResult") -> PatchScores:
    """Return the scored patches row by row, whatever the order of visit was."""
    cells = row_by_row(result.grid)
    extras = {name: gather(values, cells) for name, values in shown_extras(result.extras).items()}
    return PatchScores(result.grid.boxes(cells), gather(result.probabilities, cells), result.class_names, extras)


def shown_extras(extras: Extras) -> Extras:
    """Return extras as files hold them: attention relative to the highest (0…1), not as a logit."""
    return {name: relative_attention(values) if name == "attention" else values for name, values in extras.items()}


def row_by_row(grid: "PatchGrid") -> Keys:
    """Return the chosen cells in the order of tables."""
    cells: Keys = grid.cells[np.lexsort((grid.cells[:, 1], grid.cells[:, 0]))]
    return cells


def cells_of(scores: PatchScores, grid: "PatchGrid") -> tuple[Keys, Values]:
    """Return the cells of a table's patches, and their probabilities and extras as columns."""
    cells = (scores.boxes[:, :2] - np.asarray(grid.origin)) // np.asarray(grid.stride_px)
    extras = dict(scores.extras)
    if "attention" in extras:
        # A weight too small for a table is a very low logit, not an infinite one.
        extras["attention"] = np.log(np.maximum(extras["attention"], np.finfo(np.float32).tiny))
    return cells.astype(np.int64), np.column_stack([scores.probabilities, *extras.values()]).astype(np.float32)


def _write_map(result: "ClassifyResult", spacing: "Spacing | None", path: Path) -> None:
    from napari_medpatch.io.export_note import ExportNote
    from napari_medpatch.io.ome import write_ome_tiff

    place = result.grid.transform(spacing)
    kept = {key: result.provenance[key] for key in ("source", "model", "grid") if key in result.provenance}
    extras = shown_extras(result.extras)
    names = (*result.class_names, *extras)
    write_ome_tiff(
        np.ascontiguousarray(
            np.concatenate([np.moveaxis(result.probabilities, -1, 0), *(v[None] for v in extras.values())])
        ),
        path,
        pixel_size=place.scale if spacing is not None else None,
        unit=spacing.unit if spacing is not None else "um",
        origin=place.translate if spacing is not None else None,
        channel_names=names,
        axes="CYX",
        note=ExportNote("probabilities", names, kept),
    )
