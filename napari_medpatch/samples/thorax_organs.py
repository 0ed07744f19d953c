"""Paint the organs of one simulated patient, from the skin inwards."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_medpatch.samples.shapes import Canvas, Field, Segment, smooth_noise
from napari_medpatch.samples.thorax_anatomy import Anatomy
from napari_medpatch.samples.thorax_trees import airways, girdle, lung_tree, ribs


@dataclass(frozen=True, slots=True)
class Shares:
    """Share of each voxel that belongs to a structure, ``(Z, Y, X)`` float32, 0…1.

    ``lungs`` holds vessels and nodules within it, but neither windpipe nor main bronchi.
    """

    body: Field
    lungs: Field
    airway: Field
    heart: Field
    vessels: Field


def paint_patient(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> Shares:
    """Paint everything but nodules, table and noise.

    Parameters
    ----------
    canvas : Canvas
        Changed in place.
    anatomy : Anatomy
        Whom to paint.
    rng : numpy.random.Generator
        Texture, vessels and bowel.
    """
    body = paint_body(canvas, anatomy, rng)
    cavity = np.maximum(anatomy.cavity(canvas.z, canvas.y, canvas.x), body + np.float32(6))
    heart = paint_mediastinum(canvas, anatomy, cavity)
    paint_belly(canvas, anatomy, cavity, rng)
    distance = _lung_distance(canvas, anatomy, cavity)
    paint_bones(canvas, anatomy, body, rng)
    lungs = paint_lungs(canvas, anatomy, distance, rng)
    vessels = paint_lung_vessels(canvas, anatomy, lungs, rng)
    airway = paint_airways(canvas, anatomy)
    lungs = lungs * (1 - airway)
    return Shares(canvas.share(body), lungs, airway, heart * (1 - lungs), vessels * lungs)


def _trunk(canvas: Canvas, anatomy: Anatomy, margin: float) -> Field:
    """Return the distance to trunk, neck, head and arms, ``margin`` mm outside the ribs."""
    z, y, x = canvas.z, canvas.y, canvas.x
    top, wall = anatomy.apex, anatomy.wall + margin
    power = np.float32(2.5)
    wide, deep = anatomy.width + wall, anatomy.depth + wall
    taper = 1 - np.float32(0.0006) * np.abs(z + np.float32(40))
    norm = ((np.abs(x) / (np.float32(wide) * taper)) ** power + (np.abs(y) / np.float32(deep)) ** power) ** (1 / power)
    trunk = np.maximum((norm - 1) * min(wide, deep), z - np.float32(top - 25))
    shoulders = _full_ellipsoid(canvas, (top - 25, 8, 0), (62, 0.75 * deep, wide + 35))
    neck = np.hypot(x, y + np.float32(4)) - np.float32(52 + 0.4 * margin)
    neck = np.maximum(neck, np.float32(top - 40) - z)
    head = _full_ellipsoid(canvas, (top + 165, -10, 0), (110, 95, 76))
    body = np.minimum(np.minimum(trunk, shoulders), np.minimum(neck, head))
    return np.asarray(np.minimum(body, canvas.tubes(_arms(anatomy, wide, margin))), np.float32)


def _full_ellipsoid(canvas: Canvas, center: tuple[float, float, float], radii: tuple[float, float, float]) -> Field:
    distance, box = canvas.ellipsoid(center, radii)
    full = np.full(canvas.hu.shape, 1000, np.float32)
    full[box] = distance
    return full


def _arms(anatomy: Anatomy, wide: float, margin: float) -> list[Segment]:
    """Return the arms, raised beside the head or hanging beside the trunk."""
    tubes = []
    for side in (-1.0, 1.0):
        joint = (anatomy.apex - 15, 8.0, side * (wide - 8))
        bent = (160.0, -45.0) if anatomy.arms_up else (-230.0, 52.0)
        end = (anatomy.apex + bent[0], 15.0, side * (wide + bent[1]))
        tubes.append(Segment(joint, end, (40 + 0.4 * margin, 34 + 0.3 * margin)))
    return tubes


def paint_body(canvas: Canvas, anatomy: Anatomy, rng: np.random.Generator) -> Field:
    """Paint skin, fat and muscle; return the distance to the skin."""
    skin = _trunk(canvas, anatomy, anatomy.fat)
    if anatomy.breasts:
        for side in (-1, 1):
            place = (-10.0, -(anatomy.depth + anatomy.wall + anatomy.fat - 8), side * 0.5 * anatomy.width)
            radii = (1.1 * anatomy.breasts, anatomy.breasts, 1.2 * anatomy.breasts)
            skin = np.minimum(skin, _full_ellipsoid(canvas, place, radii))
    canvas.paint(canvas.share(skin), anatomy.muscle_hu)
    marbling = smooth_noise(canvas.hu.shape, 14 / canvas.voxel_mm, rng) * np.float32(25)
    canvas.paint(canvas.share(skin + 2), anatomy.fat_hu + np.abs(marbling))
    muscle = _trunk(canvas, anatomy, 0.0)
    canvas.paint(canvas.share(np.maximum(muscle, skin + 3)), anatomy.muscle_hu + marbling)
    return skin


def paint_mediastinum(canvas: Canvas, anatomy: Anatomy, cavity: Field) -> Field:
    """Paint fat, heart and great vessels; return the share of heart and great vessels."""
    canvas.paint(canvas.share(cavity), anatomy.fat_hu + 40)
    center = (anatomy.domes[0] + 0.75 * anatomy.heart, -0.25 * anatomy.depth, anatomy.heart_shift)
    size = anatomy.heart
    heart = _full_ellipsoid(canvas, center, (0.95 * size, 0.85 * size, 1.15 * size))
    top, back = 0.55 * anatomy.apex, 0.5 * anatomy.depth
    arch = (top, 0.1 * anatomy.depth, 12.0)
    tubes = [
        Segment((center[0] + 20, center[1], 0.0), (top, -15.0, -8.0), (15, 14)),
        Segment((top, -15.0, -8.0), arch, (14, 13)),
        Segment(arch, (top - 20, back, 22.0), (13, 12)),
        Segment((top - 20, back, 22.0), (anatomy.bottom - 150, 0.62 * anatomy.depth, 8.0), (12, 9)),
        Segment((top - 40, -5.0, -30.0), (top - 35, -12.0, 32.0), (11, 11)),
        Segment((anatomy.apex, -20.0, -22.0), (center[0], -10.0, -30.0), (8, 10)),
    ]
    share = canvas.share(np.minimum(heart, canvas.tubes(tubes)))
    canvas.paint(share, anatomy.contrast)
    muscle = canvas.share(np.maximum(-(heart + 8), heart)) * np.float32(0.6)
    canvas.paint(muscle, 70 + 0.3 * anatomy.contrast)
    return share


def paint_belly(canvas: Canvas, anatomy: Anatomy, cavity: Field, rng: np.random.Generator) -> None:
    """Paint liver, spleen, stomach and bowel with gas, and kidneys, below the diaphragm."""
    under = canvas.z - anatomy.diaphragm(canvas.y, canvas.x)
    belly = np.maximum(cavity, under)
    noise = smooth_noise(canvas.hu.shape, 40 / canvas.voxel_mm, rng)
    canvas.paint(canvas.share(belly), anatomy.fat_hu + np.float32(60) * (noise > 0.2))
    left, right = anatomy.domes
    solids = [
        ((right - 62, -10.0, -0.45 * anatomy.width), (75.0, 90.0, 95.0), anatomy.liver_hu),
        ((left - 50, 45.0, 0.68 * anatomy.width), (48.0, 32.0, 30.0), anatomy.liver_hu + 5),
        ((left - 125, 45.0, 0.42 * anatomy.width), (50.0, 26.0, 26.0), 40 + 0.5 * anatomy.contrast),
        ((right - 145, 45.0, -0.42 * anatomy.width), (50.0, 26.0, 26.0), 40 + 0.5 * anatomy.contrast),
        ((left - 45, -25.0, 0.38 * anatomy.width), (42.0, 46.0, 40.0), 25.0),
    ]
    for center, radii, hu in solids:
        distance, box = canvas.ellipsoid(center, radii)
        canvas.paint(canvas.share(np.maximum(distance, belly[box])), hu, box)
    if anatomy.stomach_gas > 5:
        gas = anatomy.stomach_gas
        distance, box = canvas.ellipsoid((left - 38, -42.0, 0.36 * anatomy.width), (gas, 0.8 * gas, gas))
        canvas.paint(canvas.share(np.maximum(distance, belly[box] + 6)), -1000, box)
    _paint_bowel(canvas, anatomy, belly, rng)
    _paint_colon(canvas, anatomy, belly, rng)


def _paint_bowel(canvas: Canvas, anatomy: Anatomy, belly: Field, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(5, 16))):
        start = np.array([anatomy.bottom - rng.uniform(-20, 190), rng.uniform(-75, 5), rng.uniform(-95, 95)])
        end = start + rng.normal(0, 35, 3)
        radius = rng.uniform(7, 26)
        tube = canvas.tubes([Segment(tuple(start.tolist()), tuple(end.tolist()), (radius, radius))])
        inside: Field = np.maximum(tube, belly + 4)
        canvas.paint(canvas.share(inside), 35)
        content = rng.choice([-1000.0, -1000.0, 10.0, -350.0])
        canvas.paint(canvas.share(inside + np.float32(2.5)), content)


def _paint_colon(canvas: Canvas, anatomy: Anatomy, belly: Field, rng: np.random.Generator) -> None:
    """Paint the large bowel around the belly, up to the diaphragm on the left; much of it holds gas."""
    left, right, low, wide = *anatomy.domes, anatomy.bottom, anatomy.width
    corners = np.array(
        [
            (low - 150, 10, -0.72 * wide), (right - 100, 0, -0.7 * wide), (right - 105, -55, -0.3 * wide),
            (left - 85, -60, 0.2 * wide), (left - 40, -15, 0.68 * wide), (left - 120, 15, 0.72 * wide),
            (low - 160, 15, 0.65 * wide),
        ]
    )  # fmt: skip
    corners += rng.normal(0, 12, corners.shape)
    for first, last in pairwise(corners):
        size = rng.uniform(11, 27)
        path = first + np.linspace(0, 1, 5)[:, None] * (last - first) + rng.normal(0, 5, (5, 3))
        # Pouches: the bowel narrows between them.
        radii = size * rng.uniform(0.7, 1.25, 5)
        pouches = [
            Segment(tuple(a.tolist()), tuple(b.tolist()), (float(r), float(q)))
            for (a, b), (r, q) in zip(pairwise(path), pairwise(radii), strict=True)
        ]
        inside: Field = np.maximum(canvas.tubes(pouches), belly + 4)
        canvas.paint(canvas.share(inside), 35)
        content = rng.choice([-1000.0, -1000.0, rng.uniform(-500, -100), 15.0])
        canvas.paint(canvas.share(inside + np.float32(2.5)), content)


def paint_bones(canvas: Canvas, anatomy: Anatomy, body: Field, rng: np.random.Generator) -> None:
    """Paint spine, ribs and shoulder girdle; the spine pushes into the chest from behind."""
    bones = np.minimum(canvas.tubes(ribs(anatomy)), canvas.tubes(girdle(anatomy)))
    canvas.paint(canvas.share(np.maximum(bones, body + 3)), anatomy.bone_hu * 0.75)
    spine = np.maximum(_spine(canvas, anatomy), body + 4)
    disc = np.cos(canvas.z * np.float32(2 * np.pi / 26)) > np.float32(0.85)
    marrow = anatomy.bone_hu * 0.4 + 20 * smooth_noise(canvas.hu.shape, 6 / canvas.voxel_mm, rng)
    canvas.paint(canvas.share(spine), np.where(disc, np.float32(80), np.float32(0.75 * anatomy.bone_hu)))
    canvas.paint(canvas.share(spine + 3), np.where(disc, np.float32(80), marrow))
    behind = np.float32(0.88 * anatomy.depth + 24)
    ring = np.hypot(canvas.x, canvas.y - behind)
    canvas.paint(canvas.share(np.maximum(ring - 21, body + 4)), anatomy.bone_hu * 0.5)
    canvas.paint(canvas.share(np.maximum(ring - 9, body + 4)), 25)


def _spine(canvas: Canvas, anatomy: Anatomy) -> Field:
    bend = np.float32(8) * np.cos(canvas.z / np.float32(110))
    # In the neck the spine lies further forward than in the chest.
    forward = np.float32(0.45) * np.clip(canvas.z - np.float32(anatomy.apex - 40), 0, np.float32(anatomy.depth))
    middle = np.float32(0.88 * anatomy.depth - 4) + bend - forward
    return np.asarray(np.hypot(canvas.x / np.float32(1.15), canvas.y - middle) - np.float32(17), np.float32)


def _lung_distance(canvas: Canvas, anatomy: Anatomy, cavity: Field) -> Field:
    """Return the distance to both lungs: the cavity less mediastinum, spine and belly."""
    x, y, z = canvas.x, canvas.y, canvas.z
    column = np.hypot(x / np.float32(anatomy.mediastinum), (y - 8) / np.float32(0.8 * anatomy.depth)) - 1
    column *= np.float32(anatomy.mediastinum)
    center = (anatomy.domes[0] + 0.75 * anatomy.heart, -0.25 * anatomy.depth, anatomy.heart_shift)
    size = anatomy.heart + 5
    sac = _full_ellipsoid(canvas, center, (0.95 * size, 0.85 * size, 1.15 * size))
    core = np.minimum(np.minimum(column, sac), np.abs(x) - np.float32(3))
    core = np.minimum(core, _spine(canvas, anatomy) - 5)
    floor = (anatomy.diaphragm(y, x) - z) * np.float32(0.8)
    return np.asarray(np.maximum(np.maximum(cavity, -core), floor), np.float32)


def paint_lungs(canvas: Canvas, anatomy: Anatomy, distance: Field, rng: np.random.Generator) -> Field:
    """Paint the aerated tissue with gravity, texture and fissures; return its share."""
    share = canvas.share(distance)
    down = -canvas.y if anatomy.prone else canvas.y
    tissue = anatomy.lung_hu + anatomy.gradient * (down / np.float32(2 * anatomy.depth))
    tissue += smooth_noise(canvas.hu.shape, 30 / canvas.voxel_mm, rng) * np.float32(15)
    tissue += rng.standard_normal(canvas.hu.shape, dtype=np.float32) * np.float32(12)
    canvas.paint(share, np.maximum(tissue, np.float32(-1000)))
    slope = rng.uniform(0.5, 0.9)
    fissure = np.abs(canvas.z - np.float32(slope) * canvas.y - np.float32(0.15 * anatomy.apex)) - np.float32(0.4)
    canvas.paint(canvas.share(np.maximum(fissure, distance)) * np.float32(0.35), -300)
    return share


def paint_lung_vessels(canvas: Canvas, anatomy: Anatomy, lungs: Field, rng: np.random.Generator) -> Field:
    """Paint arteries, veins and the bronchi within the lungs; return the share of the vessels."""
    inside = lungs > 0
    share = np.zeros_like(canvas.hu)
    for side in (-1, 1):
        bronchi = canvas.tubes(lung_tree(anatomy, side, 4.0, 3, rng))
        canvas.paint(canvas.share(np.where(inside, bronchi - 1.2, 1000)), -400)
        canvas.paint(canvas.share(np.where(inside, bronchi, 1000)), -980)
        for radius, generations in ((7.0, 7), (5.5, 6)):
            tree = canvas.tubes(lung_tree(anatomy, side, radius, generations, rng))
            part = canvas.share(np.where(inside, tree, 1000))
            canvas.paint(part, anatomy.contrast)
            np.maximum(share, part, out=share)
    return share


def paint_airways(canvas: Canvas, anatomy: Anatomy) -> Field:
    """Paint windpipe and main bronchi with their walls; return the share of wall and lumen."""
    distance = canvas.tubes(airways(anatomy))
    canvas.paint(canvas.share(distance - 2), 30)
    canvas.paint(canvas.share(distance), -990)
    return canvas.share(distance - 2)
