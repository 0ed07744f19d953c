"""The description of a model: what ``config.json`` of a bundle holds.

For patch classifiers the top level is the WSInfer zoo's format, spec version 1.0, so that WSInfer and
QuPath read our bundles and we read theirs. Everything that format lacks sits under the one extra key
``medpatch``.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from napari_medpatch.errors import BundleError

Task = Literal["patch-classifier", "slide-mil", "segment-2d", "segment-3d"]
SPEC_VERSION = "1.0"
_WSINFER_KEYS = (
    "architecture", "num_classes", "class_names", "patch_size_pixels", "spacing_um_px", "transform",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything a job must know about a model except its weights.

    Parameters
    ----------
    name : str
        Name of the bundle folder.
    task : str
        ``"patch-classifier"``, ``"slide-mil"``, ``"segment-2d"`` or ``"segment-3d"``.
    architecture : str
        timm name of a classifier, or ``"unet"``.
    class_names : tuple of str
        One per output channel. Segmentation models begin with ``"background"``, so that the mask value
        is the index; classifiers list their classes.
    patch_size_pixels : int, optional
        Edge of a patch at ``spacing_um_px``, before ``transform`` (classifiers).
    spacing_um_px : float, optional
        Pixel size at which patches are taken (classifiers).
    transform : tuple of dict
        ``Resize``, ``ToTensor`` and ``Normalize`` steps with torchvision's arguments (classifiers).
    spacing : tuple of float, optional
        Working resolution of a segmentation model per spatial axis, in ``spacing_unit``; None works on
        the image's own pixels.
    spacing_unit : str, optional
        ``"mm"`` for volumes, ``"um"`` for slides, ``"fov"`` for photographs (fraction of the diameter of
        the field of view per pixel).
    in_channels : int
        1 for CT, 3 for colour.
    intensity : dict
        How pixels become network input: ``{"kind": "hu_window", "low": -1000, "high": 400}`` maps that
        window to 0…1; ``{"kind": "rgb", "mean": [...], "std": [...]}`` divides by 255 first.
    network : dict
        Arguments of :class:`napari_medpatch.models.unet.UNetConfig` beyond channels and classes, or of
        ``timm.create_model``.
    threshold : float, optional
        Operating point of a binary model; None takes the most probable class.
    postprocess : dict
        ``{"min_component_ml": 20.0, "fill_holes": true}`` and the like; see ``infer/postprocess.py``.
    licence, training, metrics, citation
        Provenance: of the weights, of the run that made them, scores by name, what to cite.
    weights_sha256 : str, optional
        Hash of ``model.safetensors``; a mismatch is an error.
    origin : dict
        Where a model from elsewhere came from: ``repo``, ``revision``, ``commit`` and the SHA-256 of each of
        its files, or the model that it was exported from.
    """

    name: str
    task: Task
    architecture: str
    class_names: tuple[str, ...]
    patch_size_pixels: int | None = None
    spacing_um_px: float | None = None
    transform: tuple[Mapping[str, Any], ...] = ()
    spacing: tuple[float, ...] | None = None
    spacing_unit: str | None = None
    in_channels: int = 3
    intensity: Mapping[str, Any] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    threshold: float | None = None
    postprocess: Mapping[str, Any] = field(default_factory=dict)
    licence: str = "unknown"
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    citation: str = ""
    weights_sha256: str | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def num_classes(self) -> int:
        """Number of output channels."""
        return len(self.class_names)

    @property
    def dimensions(self) -> int:
        """3 for ``segment-3d``, 2 otherwise."""
        return 3 if self.task == "segment-3d" else 2

    def to_config(self) -> dict[str, Any]:
        """Return the JSON object of ``config.json``."""
        values = asdict(self) | {"num_classes": self.num_classes}
        config: dict[str, Any] = {"spec_version": SPEC_VERSION}
        config |= {key: values.pop(key) for key in _WSINFER_KEYS}
        config["medpatch"] = values
        return config


def card_from_config(config: Mapping[str, Any], name: str) -> ModelCard:
    """Read ``config.json`` of our own or of the WSInfer zoo.

    Parameters
    ----------
    config : mapping
        Parsed JSON. Without the key ``medpatch`` it is taken as a WSInfer patch classifier.
    name : str
        Name used when the file has none.

    Raises
    ------
    BundleError
        If a required field is missing or the number of class names is not ``num_classes``.
    """
    missing = [key for key in ("num_classes", "class_names") if key not in config]
    if missing:
        raise BundleError(f"config.json of {name} lacks {' and '.join(missing)}; it is not a model bundle.")
    names = tuple(str(c) for c in config["class_names"])
    if len(names) != int(config["num_classes"]) or len(set(names)) != len(names):
        raise BundleError(
            f"config.json of {name} says num_classes {config['num_classes']} but names {list(names)}; mend it."
        )
    extra = dict(config.get("medpatch", {}))
    task = extra.get("task", "patch-classifier")
    if task not in get_args(Task):
        raise BundleError(f"Model {name} has the unknown task {task!r}; known are {', '.join(get_args(Task))}.")
    values: dict[str, Any] = {"name": name, "task": task, "architecture": "unknown"} | extra
    values |= {key: config[key] for key in _WSINFER_KEYS if key in config and key != "num_classes"}
    values |= {"class_names": names, "transform": tuple(values.get("transform") or ())}
    if values.get("spacing") is not None:
        values["spacing"] = tuple(float(v) for v in values["spacing"])
    known = {f.name for f in fields(ModelCard)}
    return _checked(ModelCard(**{key: value for key, value in values.items() if key in known}))


def _checked(card: ModelCard) -> ModelCard:
    """Refuse a classifier that does not say at which size and spacing it looks."""
    if card.task in ("patch-classifier", "slide-mil"):
        for key in ("patch_size_pixels", "spacing_um_px"):
            value = getattr(card, key)
            if not isinstance(value, int | float) or not value > 0:
                raise BundleError(f"config.json of {card.name} has {key} {value!r}; it must be a positive number.")
    return card
