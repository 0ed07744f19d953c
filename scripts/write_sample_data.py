"""Write ``sample_data/`` anew, with its README: ``python scripts/write_sample_data.py``."""

import hashlib
from pathlib import Path

from napari_medpatch.samples import write_samples

FOLDER = Path(__file__).resolve().parents[1] / "sample_data"
WHAT = {
    "slide.tiff": "tissue slide in H&E colours, 2048 × 2304 px at 0.5 µm, 5 levels of JPEG tiles; normal tissue,"
    " tumour, glass and a pen mark",
    "slide_truth.png": "its truth: 0 glass, 1 normal, 2 tumour, 3 pen; one cell is 6 × 6 slide pixels",
    "fundus.png": "fundus photograph with optic disc, vessels and a few lesions",
    "fundus_vessels.png": "its vessels, 255 where there is one",
    "thorax_ct.nii.gz": "chest CT in HU on an oblique grid, voxels 3.5 × 3.5 × 5.5 mm",
    "thorax_truth.nii.gz": "its truth: 1 body, 2 left lung, 3 right lung, 4 airway, 5 heart and great vessels, 6 lung"
    " vessels, 7 nodules",
    "thorax_labels_sparse.nii.gz": "three painted slices of it: 0 unlabelled, 1 background, 2 lung, 3 heart",
}
HEAD = """# Sample data

Simulated images with truth. No patient, no photograph: everything here is drawn by `napari_medpatch.samples`
(`python scripts/write_sample_data.py` writes this folder anew). The shapes are plausible, not measured: use the files
to try the program, not to judge a method.

Licence: CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/).

| file | what it is | size | SHA-256 |
|---|---|---|---|
"""


def main() -> None:
    """Write the files and list them."""
    rows = []
    for path in write_samples(FOLDER):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(f"| `{path.name}` | {WHAT[path.name]} | {path.stat().st_size / 1000:.0f} kB | `{digest}` |\n")
    (FOLDER / "README.md").write_text(HEAD + "".join(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
