"""The model that was explained last stays loaded, so that the next click answers at once."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_medpatch.infer.grad_cam import GradCam
    from napari_medpatch.models.bundle import Bundle


class LoadedCam:
    """At most one model; call it from workers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[Bundle, str, str | None] | None = None
        self._cam: GradCam | None = None

    def get(self, bundle: "Bundle", device: str, layer: str | None) -> "GradCam":
        """Return a model ready to be explained.

        Parameters
        ----------
        bundle, device, layer
            As :class:`napari_medpatch.infer.grad_cam.GradCam`; raises what that raises.
        """
        from napari_medpatch.infer.grad_cam import GradCam

        key = (bundle, device, layer)
        with self._lock:
            if self._cam is None or self._key is None or not _same(key, self._key):
                self._cam = None  # frees the memory before the next one is loaded
                self._cam = GradCam(bundle, device=device, layer=layer)
                self._key = key
            return self._cam


def _same(one: "tuple[Bundle, str, str | None]", other: "tuple[Bundle, str, str | None]") -> bool:
    """Compare bundles by identity: their cards hold dictionaries."""
    return one[0] is other[0] and one[1:] == other[1:]
