"""Seconds and peak memory to open a large CT, by format.

    python benchmarks/volume_open.py [--slices 1000] [--formats dicom nifti …]

A 512 × 512 CT is made in a temporary folder and opened by ``open_source`` in a process of its own. Peak memory is the
largest resident size while it opens, less what the process held with its libraries loaded, over the size of
the volume as int16.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIDE = 512
AFFINE = np.diag([-0.7, -0.7, 1.0, 1.0])


def main() -> None:
    """Measure and print, or take one measurement for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, default=1000)
    parser.add_argument("--formats", nargs="+", default=list(WRITERS), choices=list(WRITERS))
    parser.add_argument("--once", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        sys.stdout.write(json.dumps(_measure(arguments.once)) + "\n")
        return
    print("| format | size on disk, MB | seconds | longest wait between events, s | peak memory / int16 volume |")
    print("|---|---|---|---|---|")
    for name in arguments.formats:
        with tempfile.TemporaryDirectory() as folder:
            path = WRITERS[name](Path(folder), arguments.slices)
            done = subprocess.run(
                [sys.executable, __file__, "--once", str(path)], check=True, stdout=subprocess.PIPE, text=True
            )
            found = json.loads(done.stdout.splitlines()[-1])
            files = path.rglob("*") if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files) / 1e6
        ratio = found["peak"] / (arguments.slices * SIDE * SIDE * 2)
        print(f"| {name} | {size:.0f} | {found['seconds']:.1f} | {found['wait']:.2f} | {ratio:.2f} |", flush=True)


def _measure(path: Path) -> dict[str, float]:
    import nibabel  # noqa: F401 - loaded beforehand, so that libraries do not count
    import pydicom.pixels  # noqa: F401
    import SimpleITK  # noqa: F401

    from napari_medpatch.events import Finished
    from napari_medpatch.io.detect import open_steps

    before, began = _peak_bytes(), time.perf_counter()
    last, wait = began, 0.0
    for event in open_steps(path):
        wait, last = max(wait, time.perf_counter() - last), time.perf_counter()
        if isinstance(event, Finished):
            assert event.result.data.shape[1:] == (SIDE, SIDE)
    return {"seconds": time.perf_counter() - began, "wait": wait, "peak": _peak_bytes() - before}


def _peak_bytes() -> int:
    """Return the largest resident size of this process; ``getrusage`` would count that of its parent too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _slice(index: int) -> "np.ndarray[tuple[int, int], np.dtype[np.int16]]":
    """Return a noisy body in air; noise is the same in every 16th slice, which is quicker to make."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    body = (x / 200) ** 2 + (y / 150) ** 2 < 1
    noise = np.random.default_rng(index % 16).normal(0, 15, (SIDE, SIDE))
    return np.where(body, 40 + noise, -1000 + noise / 3).astype(np.int16)


def _write_dicom(folder: Path, slices: int, syntax: str = "") -> Path:
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    (folder / "ct").mkdir()
    series = generate_uid()
    for index in range(slices):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.SeriesInstanceUID = CTImageStorage, generate_uid(), series
        dataset.Modality, dataset.SeriesNumber, dataset.InstanceNumber = "CT", 1, index + 1
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, index], [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 1
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.Rows = dataset.Columns = SIDE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.add_new("PixelData", "OW", (_slice(index) + 1024).tobytes())
        if syntax:
            dataset.compress(syntax, generate_instance_uid=False)
        pydicom.dcmwrite(folder / "ct" / f"IM{index:06}", dataset, enforce_file_format=True)
    return folder / "ct"


def _write_jpeg2000(folder: Path, slices: int) -> Path:
    from pydicom.uid import JPEG2000Lossless

    return _write_dicom(folder, slices, JPEG2000Lossless)


def _volume(slices: int) -> "np.ndarray[tuple[int, int, int], np.dtype[np.int16]]":
    return np.stack([_slice(index) for index in range(slices)]).transpose(2, 1, 0)


def _nifti(name: str, dtype: type = np.int16) -> Callable[[Path, int], Path]:
    def write(folder: Path, slices: int) -> Path:
        import nibabel

        image = nibabel.Nifti1Image(_volume(slices).astype(dtype), AFFINE)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, folder / name)
        return folder / name

    return write


def _itk(name: str, *, compressed: bool) -> Callable[[Path, int], Path]:
    def write(folder: Path, slices: int) -> Path:
        import SimpleITK

        image = SimpleITK.GetImageFromArray(_volume(slices).T)
        SimpleITK.WriteImage(image, str(folder / name), compressed)
        return folder / name

    return write


WRITERS: dict[str, Callable[[Path, int], Path]] = {
    "dicom": _write_dicom,
    "dicom-jpeg2000": _write_jpeg2000,
    "nifti": _nifti("ct.nii"),
    "nifti-gz": _nifti("ct.nii.gz"),
    "nifti-float32": _nifti("ct.nii", np.float32),
    "nrrd-gz": _itk("ct.nrrd", compressed=True),
    "metaimage": _itk("ct.mha", compressed=False),
}


if __name__ == "__main__":
    main()
