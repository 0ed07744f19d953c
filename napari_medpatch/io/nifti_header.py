"""What a NIfTI header says about grid and values, checked before it is believed.

nibabel's own checks repair some headers silently (a voxel size of 0 becomes 1 mm); here they are refused, so
the header is parsed by nibabel without them.
"""

from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, GeometryError, UnsupportedFormatError
from napari_medpatch.io.orientation import Affine, voxel_sizes
from napari_medpatch.io.wording import size_text, spacing_text

HEADER_BYTES = 540
_MAGICS = {b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0"}
_CIFTI_INTENTS = range(3000, 3100)
_UNIT_MM = {1: 1000.0, 2: 1.0, 3: 0.001}


def parse_header(block: bytes, path: Path) -> Any:
    """Return the nibabel header in a file's first bytes, in this machine's byte order.

    Parameters
    ----------
    block : bytes
        The first 540 bytes, or all of a shorter file.
    path : Path
        For the sentence.

    Raises
    ------
    DamagedFileError
        If the file is empty or ends inside the header.
    UnsupportedFormatError
        If it is not NIfTI-1 or NIfTI-2.
    """
    import nibabel as nib

    if not block:
        raise DamagedFileError(f"{path} is empty; copy or download it again.")
    sizes = {int.from_bytes(block[:4], order) for order in ("little", "big")}
    old, new = 348 in sizes, 540 in sizes
    if not (old or new):
        raise UnsupportedFormatError(f"{path} is not a NIfTI file (it does not begin with a NIfTI header).")
    if len(block) < (348 if old else 540):
        raise DamagedFileError(f"{path} is damaged (it ends inside its header); copy or download it again.")
    magic = block[344:348] if old else block[4:8]
    if magic not in _MAGICS:
        raise UnsupportedFormatError(
            f"{path} is an Analyze 7.5 file, which does not say left from right; convert it to NIfTI first."
        )
    kind, length = (nib.Nifti1Header, 348) if old else (nib.Nifti2Header, 540)
    header = kind(block[:length], check=False)
    native = header.as_byteswapped("<" if np.little_endian else ">")
    if int(header["intent_code"]) in _CIFTI_INTENTS:
        raise UnsupportedFormatError(
            f"{path} is a CIFTI file (values on a brain surface), which has no voxel grid; give a NIfTI volume."
        )
    return native


def file_shape(header: Any, path: Path) -> tuple[int, ...]:
    """Return the shape without trailing axes of length 1 beyond the third.

    Raises
    ------
    DamagedFileError
        If the header's dimensions are impossible.
    UnsupportedFormatError
        If there are fewer than three axes.
    """
    dimensions = [int(n) for n in header["dim"]]
    count = dimensions[0]
    if not 1 <= count <= 7 or any(n < 1 for n in dimensions[1 : count + 1]):
        raise DamagedFileError(f"{path} is damaged (its header gives the dimensions {dimensions}).")
    shape = dimensions[1 : count + 1]
    if count < 3:
        raise UnsupportedFormatError(
            f"{path} holds {count}D data ({size_text(shape)}), not a volume; save a slice as PNG or TIFF."
        )
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def value_type(header: Any, path: Path) -> np.dtype[Any]:
    """Return the real number type of the stored values.

    Raises
    ------
    UnsupportedFormatError
        If they are complex, colours, bits or of an unknown type.
    """
    from nibabel.spatialimages import HeaderDataError

    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise UnsupportedFormatError(f"{path} has the unknown data type {int(header['datatype'])}.") from error
    if dtype.kind in "iuf" and int(header["datatype"]) > 1:
        return dtype
    names = {"c": "complex numbers", "V": "colours (RGB)"}
    what = names.get(dtype.kind, f"data of type {dtype}")
    raise UnsupportedFormatError(f"{path} holds {what}; only volumes of real numbers, such as CT, can be read.")


def scaling(header: Any) -> tuple[float, float]:
    """Return slope and intercept; 1 and 0 where the header gives none."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    return slope, inter if np.isfinite(inter) else 0.0


def unit_in_mm(header: Any) -> tuple[float, str | None]:
    """Return millimetres per unit of length and, if that is not plain, a note."""
    code = int(header["xyzt_units"]) & 7
    if code in (1, 3):
        name = "metres" if code == 1 else "micrometres"
        return _UNIT_MM[code], f"Lengths are stored in {name} and shown in millimetres."
    return 1.0, None


def file_affine(header: Any, path: Path) -> tuple[Affine, str, list[str]]:
    """Return the affine, where it comes from, and what to tell the user.

    The sform is preferred to the qform. Without either (both codes 0) voxel sizes come from ``pixdim`` and
    the axes are those that nibabel and Analyze assume: left, anterior, superior.

    Returns
    -------
    affine : ndarray
        (4, 4), voxel index to RAS+ world.
    origin : str
        For :class:`napari_medpatch.geometry.Spacing`.
    notes : list of str
        Sentences.

    Raises
    ------
    GeometryError
        If a voxel size is zero, negative or not a number, or no affine can be inverted.
    """
    sizes = tuple(float(v) for v in header["pixdim"][1:4])
    if not all(np.isfinite(v) and v > 0 for v in sizes):
        raise GeometryError(
            f"{path} gives the voxel size {spacing_text(sizes)}, which is impossible; correct pixdim in its header."
        )
    candidates = []
    if int(header["sform_code"]) > 0:
        candidates.append(("sform", np.asarray(header.get_sform(), dtype=np.float64)))
    if int(header["qform_code"]) > 0:
        candidates.append(("qform", _qform(header)))
    if not candidates:
        note = "The file does not say how it lies (sform and qform codes are 0): left and right are not known."
        return np.asarray(header.get_best_affine(), dtype=np.float64), "NIfTI pixdim", [note]
    for name, affine in candidates:
        if _invertible(affine):
            notes = _disagreement(affine, sizes)
            if name != candidates[0][0]:
                notes.append("The sform cannot be inverted, so the qform is used.")
            return affine, "NIfTI affine", notes
    raise GeometryError(
        f"{path} has an affine that cannot be inverted (voxel size {spacing_text(voxel_sizes(candidates[0][1]))}); "
        "correct the sform or qform in its header."
    )


def _qform(header: Any) -> Affine:
    try:
        return np.asarray(header.get_qform(), dtype=np.float64)
    except (ValueError, ArithmeticError):
        return np.full((4, 4), np.nan)


def _invertible(affine: Affine) -> bool:
    if not np.isfinite(affine).all():
        return False
    product = float(np.prod(voxel_sizes(affine)))
    return product > 0 and abs(float(np.linalg.det(affine[:3, :3]))) > 1e-4 * product


def _disagreement(affine: Affine, sizes: tuple[float, ...]) -> list[str]:
    found = voxel_sizes(affine)
    if np.allclose(found, sizes, rtol=0.01):
        return []
    return [f"pixdim ({spacing_text(sizes)}) differs from the affine ({spacing_text(found)}), which is used."]
