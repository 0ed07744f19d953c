"""How much room a model takes, told before it is trained."""

from napari_medpatch.models.card import ModelCard

_BESIDE = 64 << 10
"""For ``config.json``, ``README.md`` and the header of the weights."""


def bundle_bytes(card: ModelCard) -> int:
    """Return how many bytes a bundle takes on disk, with float32 weights."""
    import torch

    from napari_medpatch.models.network import build_network

    with torch.device("meta"):
        state = build_network(card).state_dict()
    return _BESIDE + sum(int(tensor.numel() * tensor.element_size()) for tensor in state.values())
