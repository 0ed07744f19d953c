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
THRESHOLD = "threshold"
"""Architecture of the classical lung model, which has no weights; see ``infer/lungs``."""
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
        1 for CT, 3 for colour, as many as ``stack`` for neighbouring slices.
    stack : int
        Neighbouring slices that a 2D model on a volume sees as its channels, the slice itself in the middle
        (2.5D); odd.
    stack_spacing : float, optional
        Distance of those slices in mm; by default they are the volume's own.
    slice_axis : int
        Axis of the volume across which a 2D model was trained: 0 axial, 1 coronal, 2 sagittal slices.
    intensity : dict
        How pixels become network input: ``{"kind": "hu_window", "low": -1000, "high": 400}`` maps that
        window to 0…1, further kinds are in :mod:`napari_medpatch.models.intensity`;
        ``{"kind": "rgb", "mean": [...], "std": [...]}`` divides by 255 first.
    network : dict
        Arguments of :class:`napari_medpatch.models.unet.UNetConfig` beyond channels and classes, or of
        ``timm.create_model``; for segmentation also :class:`napari_medpatch.models.network_facts.NetworkFacts`.
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
    stack: int = 1
    stack_spacing: float | None = None
    slice_axis: int = 0
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
        Parsed JSON. With the key ``task`` it is a short card, whose keys are :class:`ModelCard`'s; without
        that and the key ``medpatch`` it is taken as a WSInfer patch classifier.
    name : str
        Name used when the file has none.

    Raises
    ------
    BundleError
        If a required field is missing or makes no sense, or the number of class names is not ``num_classes``.
    """
    if "task" in config:
        return short_card(config, name)
    missing = [key for key in ("num_classes", "class_names") if key not in config]
    if missing:
        raise BundleError(f"config.json of {name} lacks {' and '.join(missing)}; it is not a model bundle.")
    names = tuple(str(c) for c in config["class_names"])
    if len(names) != int(config["num_classes"]) or len(set(names)) != len(names):
        raise BundleError(
            f"config.json of {name} says num_classes {config['num_classes']} but names {list(names)}; mend it."
        )
    extra = dict(config.get("medpatch", {}))
    values: dict[str, Any] = {"name": name, "task": "patch-classifier", "architecture": "unknown"} | extra
    values |= {key: config[key] for key in _WSINFER_KEYS if key in config and key != "num_classes"}
    values |= {"class_names": names, "transform": tuple(values.get("transform") or ())}
    known = {f.name for f in fields(ModelCard)}
    return _checked({key: value for key, value in values.items() if key in known})


def short_card(config: Mapping[str, Any], name: str) -> ModelCard:
    """Read a card as people write it: one object, no key that means nothing.

    Parameters
    ----------
    config : mapping
        Keys are :class:`ModelCard`'s; ``task``, ``class_names`` and ``intensity`` are needed. Spacing is taken
        in mm for volumes.
    name : str
        Of the model.

    Raises
    ------
    BundleError
        Naming the key that is missing, unknown or makes no sense.
    """
    known = {f.name for f in fields(ModelCard)} | {"num_classes", "spec_version"}
    unknown = sorted(set(config) - known)
    if unknown:
        raise BundleError(
            f"config.json of {name} has the unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}."
        )
    missing = [key for key in ("class_names", "intensity") if key not in config]
    if missing:
        raise BundleError(f"config.json of {name} lacks {' and '.join(missing)}; a short card needs them.")
    names = config["class_names"]
    if not isinstance(names, list | tuple) or len(set(map(str, names))) != len(names):
        raise BundleError(f"config.json of {name} has the class_names {names!r}; a list of different names is needed.")
    if config.get("num_classes", len(names)) != len(names):
        raise BundleError(f"config.json of {name} says num_classes {config['num_classes']} but names {names}; mend it.")
    values = {key: value for key, value in config.items() if key not in ("num_classes", "spec_version")}
    values = {"name": name, "architecture": "unknown"} | values | {"class_names": tuple(map(str, names))}
    volume = isinstance(values["intensity"], Mapping) and values["intensity"].get("kind") != "rgb"
    values.setdefault("in_channels", values.get("stack", 1) if volume else 3)
    if values.get("spacing") is not None:
        values.setdefault("spacing_unit", "mm" if volume else "um")
    return _checked(values)


def _checked(values: dict[str, Any]) -> ModelCard:
    """Return the card; refuse a field of the wrong kind, one sentence each."""
    name, task = values["name"], values["task"]
    if task not in get_args(Task):
        raise BundleError(f"Model {name} has the unknown task {task!r}; known are {', '.join(get_args(Task))}.")
    for key in ("intensity", "network", "postprocess"):
        if not isinstance(values.get(key, {}), Mapping):
            raise BundleError(f"config.json of {name} has the {key} {values[key]!r}; it must be an object.")
    if values.get("spacing") is not None:
        values["spacing"] = _spacing(name, values["spacing"])
    card = ModelCard(**values)
    if task in ("patch-classifier", "slide-mil"):
        for key in ("patch_size_pixels", "spacing_um_px"):
            value = getattr(card, key)
            if not isinstance(value, int | float) or not value > 0:
                raise BundleError(f"config.json of {name} has {key} {value!r}; it must be a positive number.")
    elif card.stack != 1 or card.slice_axis:
        _check_slices(card)
    return card


def _spacing(name: str, spacing: Any) -> tuple[float, ...]:
    numbers = isinstance(spacing, list | tuple) and all(isinstance(v, int | float) for v in spacing)
    if not numbers or not all(0 < v < float("inf") for v in spacing):
        raise BundleError(f"config.json of {name} has the spacing {spacing!r}; a list of positive numbers is needed.")
    return tuple(float(v) for v in spacing)


def _check_slices(card: ModelCard) -> None:
    """Refuse a stack of slices that cannot be built."""
    if card.task != "segment-2d" or card.slice_axis not in (0, 1, 2):
        raise BundleError(
            f"Model {card.name} has stack {card.stack} and slice_axis {card.slice_axis}; both are for segment-2d, "
            "the axis is 0, 1 or 2."
        )
    if not isinstance(card.stack, int) or card.stack < 1 or card.stack % 2 == 0 or card.in_channels != card.stack:
        raise BundleError(
            f"Model {card.name} has stack {card.stack!r} and {card.in_channels} channels; an odd number of slices, and "
            "as many channels, are needed."
        )
    if card.stack_spacing is not None and not card.stack_spacing > 0:
        raise BundleError(f"Model {card.name} has stack_spacing {card.stack_spacing!r}; a positive number is needed.")
