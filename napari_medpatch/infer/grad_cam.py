"""Where in a patch a classifier looked."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, ResourceError
from napari_medpatch.infer.device import free_cached_memory, is_out_of_memory, pick_device
from napari_medpatch.infer.loading import load_network
from napari_medpatch.infer.patch_scorer import automatic_batch_size
from napari_medpatch.infer.precision import exact_convolutions
from napari_medpatch.infer.scoring import probabilities
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import input_shape, normalise_patches, resize_like_pil

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.infer.cam_layers import Cut
    from napari_medpatch.models.bundle import Bundle

Patches = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class CamResult:
    """Heat of patches.

    Parameters
    ----------
    heat : ndarray
        ``(N, Y, X) float32``, what spoke for the class at each pixel: 0…1 per patch, or the raw values.
    probabilities : ndarray
        ``(N, C) float32``.
    classes : ndarray
        ``(N,) int64``, which class the heat is of.
    layer : str
        Where it was taken.
    """

    heat: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int64]
    layer: str


class GradCam:
    """Gradient-weighted class activation maps (Selvaraju et al., ICCV 2017) of a patch classifier.

    The activation of one layer is summed over its channels, each weighted by the mean gradient of the
    class's logit; negative sums are set to zero. Vision transformers are explained at the input of their
    last attention, whose tokens lie on a grid.

    Parameters
    ----------
    bundle : Bundle
        A patch classifier, TorchScript or not; of a multiple-instance model the logit of the patch is
        explained.
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it; of several devices the first is used.
    layer : str, optional
        Name of the layer, as in ``named_modules()``; by default the last one that has positions.

    Raises
    ------
    BundleError
        If the model cannot be loaded, has no layer with positions, or not the named one.
    ResourceError
        If the device does not exist.
    """

    def __init__(self, bundle: "Bundle", *, device: str = "auto", layer: str | None = None) -> None:
        self.card: ModelCard = bundle.card
        if self.card.task not in ("patch-classifier", "slide-mil"):
            raise BundleError(f"{self.card.name} is a {self.card.task} model; Grad-CAM explains patch classifiers.")
        self.device = pick_device(device.split(",")[0].removesuffix(":all"))
        self.batch_size = automatic_batch_size(self.card, self.device)
        model = load_network(bundle, self.device)
        with exact_convolutions("float32"):
            self._cut = _cut(model, self._example(), layer, self.card.name)

    @property
    def layer(self) -> str:
        """Name of the layer that is explained."""
        return self._cut.layer

    def heat(self, patches: Patches, class_index: int | None = None, *, normalise: bool = True) -> CamResult:
        """Explain patches at their own resolution.

        Parameters
        ----------
        patches : ndarray
            ``(N, Y, X, 3) uint8``, as read at about the model's spacing.
        class_index : int, optional
            Which class; each patch's most probable one by default.
        normalise : bool
            Divide each patch by its maximum; otherwise values are on the scale of the logit and can be
            compared between patches.

        Raises
        ------
        BundleError
            If there is no such class.
        ResourceError
            If memory runs out even for one patch.
        """
        import torch

        from napari_medpatch.infer.cam_layers import enlarge

        maps, scores, classes = self.maps(patches, class_index)
        heat = enlarge(torch.from_numpy(maps), (patches.shape[1], patches.shape[2])).numpy()
        if normalise:
            highest = heat.max(axis=(1, 2), keepdims=True)
            heat = np.divide(heat, highest, out=np.zeros_like(heat), where=highest > 0)
        return CamResult(heat, scores, classes, self.layer)

    def maps(
        self, patches: Patches, class_index: int | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Explain patches at the resolution of the layer.

        Returns
        -------
        tuple of ndarray
            ``(N, rows, cols) float32`` raw values, ``(N, C) float32`` probabilities, ``(N,) int64`` classes.
        """
        if class_index is not None:
            self.checked(class_index)
        parts, start = [], 0
        while start < len(patches):
            size = self.batch_size
            part = self._tried(patches[start : start + size], class_index)
            if part is not None:
                parts.append(part)
                start += size
        maps, scores, classes = (np.concatenate(column) for column in zip(*parts, strict=True))
        return maps, scores, classes

    def checked(self, class_index: int) -> int:
        """Return the index of a class; raise :class:`BundleError` if the model has no such class."""
        if not 0 <= class_index < self.card.num_classes:
            raise BundleError(
                f"{self.card.name} has no class {class_index}; its classes are 0 to {self.card.num_classes - 1}."
            )
        return class_index

    def _tried(
        self, patches: Patches, class_index: int | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]] | None:
        """Explain one batch; None, and a smaller batch size, if memory ran out."""
        try:
            return self._explained(patches, class_index)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        if len(patches) == 1:
            raise ResourceError(
                f"Memory ran out on {self.device} while explaining a single patch of {self.card.name}; "
                "close other programs or choose another device."
            )
        free_cached_memory(self.device)
        self.batch_size = max(1, len(patches) // 2)
        return None

    def _explained(
        self, patches: Patches, class_index: int | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        from napari_medpatch.infer.cam_layers import grad_cam

        with exact_convolutions("float32"):
            maps, logits, classes = grad_cam(self._cut, self._prepared(patches), self.card.num_classes, class_index)
        return maps.cpu().numpy(), probabilities(logits).cpu().numpy(), classes.cpu().numpy()

    def _prepared(self, patches: Patches) -> "torch.Tensor":
        """Return what the network sees; the patch is square in µm, whatever its pixels are."""
        import torch

        batch = torch.from_numpy(np.ascontiguousarray(patches)).to(self.device)
        height, width = patches.shape[1:3]
        if height != width:
            shape = input_shape(self.card, (height, height))
            batch = resize_like_pil(batch.permute(0, 3, 1, 2), shape).permute(0, 2, 3, 1)
        return normalise_patches(batch, self.card)

    def _example(self) -> "torch.Tensor":
        """Return two patches of noise: what depends on the picture must not look constant."""
        edge = self.card.patch_size_pixels or 224
        return self._prepared(np.random.default_rng(0).integers(0, 256, (2, edge, edge, 3), np.uint8))


def _cut(model: "nn.Module", batch: "torch.Tensor", layer: str | None, name: str) -> "Cut":
    import torch

    from napari_medpatch.infer.cam_eager_layers import cut_module
    from napari_medpatch.infer.cam_script_layers import cut_script

    cut = cut_script if isinstance(model, torch.jit.ScriptModule) else cut_module
    return cut(model, batch, layer, name)
