"""Load a network to a device, or say that it does not fit there."""

from typing import TYPE_CHECKING

from napari_medpatch.errors import ResourceError
from napari_medpatch.infer.device import check_device_works, is_out_of_memory

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.models.bundle import Bundle


def load_network(bundle: "Bundle", device: "torch.device") -> "nn.Module":
    """Return a bundle's network on a device; see :meth:`napari_medpatch.models.bundle.Bundle.load`.

    Raises
    ------
    BundleError
        If the model cannot be loaded.
    ResourceError
        If the device has too little memory for it, or fails.
    """
    try:
        return bundle.load(device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            check_device_works(error, device)
            raise
        raise ResourceError(
            f"Model {bundle.card.name} does not fit into the memory of {device}; close other programs, or choose "
            "another device or a smaller model."
        ) from error
