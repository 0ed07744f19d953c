"""Simulated slides at 4 µm per pixel on which finding tissue is hard, with what is tissue on them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from napari_medpatch.samples.histology import Stain, draw_stain, texture

SHAPE = (600, 800)
MPP = 4.0
GLASS = 243.0
KINDS = ("stroma", "glands", "lymphocytes", "tumour")

# Optical density per dye (rows) in red, green and blue.
HAEMALUM_DAB = ((0.65, 0.70, 0.29), (0.27, 0.57, 0.78))
TRICHROME = ((0.80, 0.45, 0.12), (0.10, 0.75, 0.45))
PAS = ((0.65, 0.70, 0.29), (0.18, 0.85, 0.35))
BLOOD = ((0.65, 0.70, 0.29), (0.16, 0.72, 0.58))

PENS = {
    "red": (205, 30, 45),
    "bright red": (235, 60, 70),
    "dark red": (150, 20, 40),
    "orange": (235, 120, 40),
    "pink": (235, 70, 140),
    "blue": (40, 70, 170),
    "violet": (72, 67, 152),
    "green": (30, 130, 70),
    "black": (25, 25, 30),
}


@dataclass(frozen=True)
class Scene:
    """``rgb`` is ``(Y, X, 3) float``, ``truth`` ``(Y, X) bool``."""

    rgb: np.ndarray
    truth: np.ndarray

    def finished(self, seed: int = 0) -> "Scene":
        """Return the picture as a scanner stores it: a little blurred, noisy, whole numbers."""
        noise = np.random.default_rng(seed).normal(0, 1.5, self.rgb.shape)
        blurred = ndimage.gaussian_filter(self.rgb, (0.6, 0.6, 0))
        return Scene((blurred + noise).clip(0, 255).astype(np.uint8), self.truth)


def smooth(rng: np.random.Generator, period: float) -> np.ndarray:
    """Return noise of unit variance."""
    field = ndimage.gaussian_filter(rng.normal(size=SHAPE), period)
    return field / field.std()


@cache
def amounts_and_truth(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(Y, X, 2)`` amounts of dye and where tissue is."""
    rng = np.random.default_rng(seed)
    truth = pieces(rng)
    return dyes_of(rng) * truth[..., None], truth


def dyes_of(rng: np.random.Generator) -> np.ndarray:
    """Return ``(Y, X, 2)`` amounts of dye of several kinds of tissue."""
    # Drawn at 1 µm and averaged, so that nuclei look as they do in an overview.
    fine = [texture(kind, 256, 1.0, rng).reshape(64, 4, 64, 4, 2).mean(axis=(1, 3)) for kind in KINDS]
    tiles = [np.tile(part, (10, 13, 1))[: SHAPE[0], : SHAPE[1]] for part in fine]
    which = np.argmax([smooth(rng, 25) for _ in KINDS], axis=0)
    return np.take_along_axis(np.stack(tiles), which[None, ..., None], 0)[0]


def pieces(rng: np.random.Generator) -> np.ndarray:
    """Return some large pieces of tissue, away from the picture's edge."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    shape = np.zeros(SHAPE, bool)
    for cy, cx, radius in ((190, 220, 120), (390, 500, 150), (160, 620, 80)):
        shape |= np.hypot(y - cy, x - cx) + 18 * smooth(rng, 12) < radius
    return ndimage.binary_opening(shape, iterations=4)


def stained(seed: int, dyes: tuple[tuple[float, ...], ...] | None = None, strength: float = 1.0) -> Scene:
    """Return a slide in haematoxylin and eosin, or in other dyes."""
    stain = draw_stain(np.random.default_rng(seed))
    if dyes is not None:
        stain = Stain(np.array(dyes, np.float32) * np.array([[1.2], [0.9]], np.float32), stain.glass)
    amounts, truth = amounts_and_truth(seed)
    light = stain.glass * np.exp(-strength * amounts @ stain.absorption)
    return Scene(light.astype(float), truth)


def drawn(scene: Scene, strokes: np.ndarray, colour: tuple[int, int, int]) -> Scene:
    """Draw with a pen: ink absorbs on top of what is below; what it covers is no longer tissue."""
    rng = np.random.default_rng(9)
    dense = ndimage.gaussian_filter(strokes.astype(float), 1.2) * (1 + 0.08 * smooth(rng, 8))
    rgb = scene.rgb * (np.array(colour) / GLASS) ** dense[..., None]
    return Scene(rgb, scene.truth & ~strokes)


def line(start: tuple[float, float], end: tuple[float, float], width: float) -> np.ndarray:
    """Return a straight stroke."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    (y0, x0), (y1, x1) = start, end
    along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2)
    along = along.clip(0, 1)
    return np.hypot(y - y0 - along * (y1 - y0), x - x0 - along * (x1 - x0)) < width / 2


def ring(centre: tuple[float, float], radius: float, width: float) -> np.ndarray:
    """Return a circle drawn with a pen."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.abs(np.hypot(y - centre[0], x - centre[1]) - radius) < width / 2


def beside(colour: str) -> Callable[[int], Scene]:
    """A mark on glass: a bar and a hook beside the tissue."""
    marks = line((540, 60), (560, 300), 40) | line((330, 60), (480, 110), 30) | line((480, 110), (470, 200), 30)
    return lambda seed: drawn(stained(seed), marks, PENS[colour])


def around(colour: str) -> Callable[[int], Scene]:
    """A circle around one piece, half of it over another."""
    return lambda seed: drawn(stained(seed), ring((190, 220), 150, 32), PENS[colour])


def across(colour: str) -> Callable[[int], Scene]:
    """A line that begins on glass and runs over the tissue."""
    return lambda seed: drawn(stained(seed), line((60, 330), (560, 610), 34), PENS[colour])


def within(colour: str) -> Callable[[int], Scene]:
    """A small circle wholly on tissue."""
    return lambda seed: drawn(stained(seed), ring((390, 500), 70, 26), PENS[colour])


def shadowed(seed: int) -> Scene:
    """A grey shadow with soft edges, as of a bubble or a label, beside and over tissue."""
    scene = stained(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    dark = 0.55 / (1 + np.exp((np.hypot(y - 520, x - 150) - 110) / 12))
    return Scene(scene.rgb * (1 - dark)[..., None], scene.truth)


def vignetted(seed: int) -> Scene:
    """Light that falls off towards the corners."""
    scene = stained(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 1 - 0.3 * (np.hypot(y - 300, x - 400) / 500) ** 2
    return Scene(scene.rgb * light[..., None], scene.truth)


def bordered(seed: int) -> Scene:
    """Black where nothing was scanned."""
    scene = stained(seed)
    rgb, truth = scene.rgb.copy(), scene.truth.copy()
    for part in (np.s_[:50], np.s_[:, -120:], np.s_[520:, :300]):
        rgb[part], truth[part] = 3, False
    return Scene(rgb, truth)


def on_glass(colour: tuple[int, int, int]) -> Callable[[int], Scene]:
    """Glass that is grey or tinted."""
    return lambda seed: Scene(stained(seed).rgb * (np.array(colour) / GLASS), stained(seed).truth)


def coverslip(seed: int) -> Scene:
    """The edge of the cover glass: a thin grey line from edge to edge."""
    scene = stained(seed)
    grey = 1 - 0.45 * ndimage.gaussian_filter(line((575, -10), (560, 820), 7).astype(float), 1.5)
    return Scene(scene.rgb * grey[..., None], scene.truth)


def dusty(seed: int) -> Scene:
    """Specks of dust and small bubbles on glass."""
    scene = stained(seed)
    rng = np.random.default_rng(seed)
    rgb = scene.rgb.copy()
    for cy, cx in rng.uniform((0, 0), SHAPE, (60, 2)):
        rgb *= 1 - 0.6 * line((cy, cx), (cy + 3, cx + 4), 5)[..., None]
    return Scene(rgb, scene.truth)


def clot(seed: int) -> Scene:
    """Even, red clots of blood as on the slides of STRIP AI: the colour of red ink, but not its shape."""
    rng = np.random.default_rng(seed)
    truth = pieces(rng)
    amount = truth * (1 + 0.06 * smooth(rng, 6) + 0.05 * smooth(rng, 1))
    return Scene(GLASS * np.exp(-1.2 * amount[..., None] * np.array(BLOOD[1])), truth)


def needle(seed: int) -> Scene:
    """Needle cores full of blood: the shape of a stroke and nearly the colour, but not so even."""
    stain = Stain(np.array(BLOOD, np.float32) * 1.2, np.full(3, GLASS, np.float32))
    rng = np.random.default_rng(seed)
    truth = line((100, 60), (140, 740), 44) | line((300, 80), (480, 700), 36)
    truth &= smooth(rng, 10) > -2
    light = stain.glass * np.exp(-(dyes_of(rng) * truth[..., None]) @ stain.absorption)
    return Scene(light.astype(float), truth)


CASES: dict[str, Callable[[int], Scene]] = {
    "plain": stained,
    "pale": lambda seed: stained(seed, strength=0.3),
    "strong": lambda seed: stained(seed, strength=1.8),
    "IHC": lambda seed: stained(seed, HAEMALUM_DAB),
    "pale IHC": lambda seed: stained(seed, HAEMALUM_DAB, 0.35),
    "trichrome": lambda seed: stained(seed, TRICHROME),
    "PAS": lambda seed: stained(seed, PAS),
    "blood": lambda seed: stained(seed, BLOOD, 1.4),
    "clot": clot,
    "needle cores": needle,
    "shadow": shadowed,
    "vignette": vignetted,
    "black borders": bordered,
    "grey glass": on_glass((205, 205, 207)),
    "yellow glass": on_glass((240, 236, 215)),
    "coverslip": coverslip,
    "dust": dusty,
}
CASES |= {f"{pen} pen {name}": make(pen) for pen in PENS for name, make in (
    ("beside", beside), ("around", around), ("across", across), ("within", within),
)}  # fmt: skip
