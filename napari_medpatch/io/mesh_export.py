"""Masks as surfaces in millimetres: STL, one class per file, and PLY with a colour per class.

Both are written here, byte by byte, so that a full disk is noticed and a long write can be stopped; trimesh reads
them back in the tests.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_medpatch.events import Noted
from napari_medpatch.io.atomic import atomic_file
from napari_medpatch.io.class_colours import Rgb
from napari_medpatch.io.export_steps import Steps
from napari_medpatch.io.lps import RAS_TO_LPS
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.surface import Faces, surface_steps
from napari_medpatch.io.volume_grid import VolumeGrid

Points = npt.NDArray[np.float32]
_TRIANGLES_AT_ONCE = 200_000


@dataclass(frozen=True, slots=True)
class Mesh:
    """A closed surface.

    Parameters
    ----------
    points : ndarray
        ``(N, 3) float32``, ``x, y, z`` in world millimetres.
    faces : ndarray
        ``(M, 3)``, corners, counter-clockwise seen from outside.
    colour : tuple of int
        Red, green, blue.
    """

    points: Points
    faces: Faces
    colour: Rgb


def mesh_steps(
    mask: AnyArray, value: int, grid: VolumeGrid, *, space: str, smooth: int, colour: Rgb
) -> Generator[float | Noted, None, Mesh]:
    """Make the surface of one class in the world.

    Parameters
    ----------
    mask : ndarray
        ``(Z, Y, X) uint8``.
    value : int
        The class.
    grid : VolumeGrid
        Of the mask; oblique and sheared grids are followed.
    space : {"lps", "ras"}
        World axes.
    smooth : int
        Rounds of Taubin's smoothing.
    colour : tuple of int
        Of the class.

    Raises
    ------
    LabelsError
        If no voxel has the value.
    """
    spacing = np.asarray(grid.spacing)
    corners, faces = yield from surface_steps(mask, value, grid.spacing, smooth)
    world = grid.canonical_affine if space == "ras" else RAS_TO_LPS @ grid.canonical_affine
    points = (corners.astype(np.float64) / spacing)[:, ::-1] @ world[:3, :3].T + world[:3, 3]
    if _mirrors(world):
        faces = faces[:, ::-1]
    return Mesh(points.astype(np.float32), faces, colour)


def write_stl(mesh: Mesh, path: Path, comment: str) -> Steps:
    """Write a binary STL.

    Parameters
    ----------
    mesh : Mesh
        One surface; STL has no colours.
    path : Path
        ``.stl``.
    comment : str
        At most 79 bytes; 3D Slicer reads the axes from ``SPACE=LPS`` in it.
    """
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(comment.encode("ascii", "replace")[:79].ljust(80))
        stream.write(np.uint32(len(mesh.faces)).astype("<u4").tobytes())
        for start in range(0, len(mesh.faces), _TRIANGLES_AT_ONCE):
            corners = mesh.points[mesh.faces[start : start + _TRIANGLES_AT_ONCE]]
            triangles = np.zeros(len(corners), record)
            triangles["corners"] = corners
            triangles["normal"] = _normals(corners)
            stream.write(triangles.tobytes())
            yield min(1.0, (start + _TRIANGLES_AT_ONCE) / max(1, len(mesh.faces)))
    return path


def write_ply(meshes: Sequence[Mesh], path: Path, comment: str) -> Steps:
    """Write a binary PLY with the colour of its class at each vertex.

    Parameters
    ----------
    meshes : sequence of Mesh
        Surfaces of the classes, in one file.
    path : Path
        ``.ply``.
    comment : str
        One line of ASCII.
    """
    counts = sum(len(mesh.points) for mesh in meshes), sum(len(mesh.faces) for mesh in meshes)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        stream.write(_ply_header(*counts, comment).encode("ascii", "replace"))
        for done, mesh in enumerate(meshes, start=1):
            corners = np.zeros(len(mesh.points), np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)]))
            corners["xyz"], corners["rgb"] = mesh.points, mesh.colour
            stream.write(corners.tobytes())
            yield 0.5 * done / len(meshes)
        first = 0
        for done, mesh in enumerate(meshes, start=1):
            faces = np.zeros(len(mesh.faces), np.dtype([("count", "u1"), ("corners", "<i4", 3)]))
            faces["count"], faces["corners"] = 3, mesh.faces + first
            stream.write(faces.tobytes())
            first += len(mesh.points)
            yield 0.5 + 0.5 * done / len(meshes)
    return path


def _ply_header(points: int, faces: int, comment: str) -> str:
    lines = ["ply", "format binary_little_endian 1.0", f"comment {comment}", f"element vertex {points}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    lines += [f"property uchar {colour}" for colour in ("red", "green", "blue")]
    lines += [f"element face {faces}", "property list uchar int vertex_indices", "end_header"]
    return "\n".join(lines) + "\n"


def _normals(corners: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the outward unit normals of ``(M, 3, 3)`` triangles."""
    wide = corners.astype(np.float64)
    normals = np.cross(wide[:, 1] - wide[:, 0], wide[:, 2] - wide[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(lengths, 1e-12), dtype=np.float32)


def _mirrors(affine: Affine) -> bool:
    """Return whether a grid becomes its mirror image in the world."""
    return float(np.linalg.det(affine[:3, :3])) < 0
