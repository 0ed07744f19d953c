"""Monte-Carlo dropout: the spread of a network's answers when parts of it are switched off at random.

Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016. Only dropout is random; normalisation
layers stay in evaluation mode. Networks in Python have every call of ``torch.nn.functional.dropout`` (and
its 1D, 2D, 3D kin) replaced by one whose mask is a hash of patch, pass and layer, so that neither batches
nor a resumed run change a score. Dropout inside fused attention kernels stays off.

A TorchScript file runs in an interpreter that cannot be reached that way: its dropout nodes are switched
on after loading, and its patches pass one by one, each with its own seed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.seeds import patch_seeds

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.infer.scoring import Forward, Keys, Look
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.models.card import ModelCard


class DropoutBundle:
    """A bundle whose network can drop out while it is evaluated.

    Parameters
    ----------
    bundle : Bundle
        The model.
    """

    def __init__(self, bundle: "Bundle") -> None:
        self._bundle = bundle
        self.card: ModelCard = bundle.card
        self.scripted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bundle, name)

    def load(self, device: "str | torch.device" = "cpu") -> "nn.Module":
        """Load the network; switch the dropout of a TorchScript file on.

        Raises
        ------
        BundleError
            If the file has no dropout, or as :meth:`Bundle.load`.
        """
        import torch

        model = self._bundle.load(device)
        if isinstance(model, torch.jit.ScriptModule):
            self.scripted = True
            if not switch_on(model):
                raise BundleError(
                    f"The TorchScript file of {self.card.name} has no dropout that could be switched on, so "
                    "Monte-Carlo dropout says nothing about it; use test-time augmentation for its uncertainty."
                )
        return model

    def looks(self, passes: int, seed: int, looks: "Sequence[Look]") -> "list[Look]":
        """Return each of ``looks`` ``passes`` times, each time with its own random dropout."""
        return [
            self._random(look, n, seed) for n, look in enumerate(looks) for n in range(n * passes, (n + 1) * passes)
        ]

    def _random(self, look: "Look", number: int, seed: int) -> "Look":
        def random(forward: "Forward", patches: "torch.Tensor", keys: "Keys") -> "torch.Tensor":
            if self.scripted:
                return _one_by_one(look, forward, patches, keys, (seed, number))
            masks = _Masks(keys, (seed, number))
            with _replaced_dropout(masks):
                logits: torch.Tensor = look(forward, patches, keys)
            if not masks.used:
                raise BundleError(
                    f"Model {self.card.name} has no dropout (or all of probability 0), so Monte-Carlo dropout says "
                    "nothing about it; use test-time augmentation for its uncertainty."
                )
            return logits

        return random


def switch_on(model: "nn.Module") -> int:
    """Let the dropout of a TorchScript module drop out in evaluation mode.

    A traced network has ``aten::dropout`` nodes with the constant "not training"; a scripted one asks its
    dropout modules. Call before the module has run.

    Returns
    -------
    int
        How many places were switched on.
    """
    count = 0
    for module in model.modules():
        if str(getattr(module, "original_name", "")).startswith("Dropout"):
            module.train()
            count += 1
        graph = _graph_of(module)
        if graph is not None:
            count += sum(_switched(graph, node) for node in _dropout_nodes(graph))
    return count


def _graph_of(module: "nn.Module") -> Any:
    """Return a script's program; modules that only hold others, or that nothing calls, have none."""
    try:
        return getattr(module, "graph", None)
    except RuntimeError:
        return None


class _Masks:
    """Dropout masks of one pass over a batch."""

    def __init__(self, keys: "Keys", stream: tuple[int, ...]) -> None:
        self._keys, self._stream = keys, stream
        self.used = 0

    def dropped(self, tensor: "torch.Tensor", p: float, shared: int) -> "torch.Tensor":
        """Drop elements of ``(N, …)``; ``shared`` trailing axes are kept or dropped together."""
        import torch

        from napari_medpatch.infer.seeds import kept

        self.used += 1
        drawn = tuple(tensor.shape[: tensor.ndim - shared])
        seeds = torch.from_numpy(self._seeds(drawn[0]).view("int64")).to(tensor.device)
        count = 1
        for n in drawn[1:]:
            count *= n
        mask = kept(seeds, count, 1 - p).reshape(*drawn, *(1,) * shared)
        return tensor * mask.to(tensor.dtype) / (1 - p) if p < 1 else tensor * 0

    def _seeds(self, rows: int) -> Any:
        """Return a seed for each row; windows of one patch (Swin) are several rows of it."""
        import numpy as np

        share = max(1, rows // len(self._keys))
        keys = np.repeat(self._keys, share, axis=0)[:rows]
        # Tokens before batch, or a mixed axis: no row belongs to one patch, so the first patch speaks for all.
        keys = keys if len(keys) == rows else np.repeat(self._keys[:1], rows, axis=0)
        part = np.arange(rows) % share if share * len(self._keys) == rows else np.arange(rows)
        return patch_seeds(np.column_stack([keys, part]), *self._stream, self.used)


@contextmanager
def _replaced_dropout(masks: _Masks) -> Iterator[None]:
    """Give every call of dropout in this thread a mask of ours, whatever its ``training`` says."""
    import torch.nn.functional as F
    from torch.overrides import TorchFunctionMode

    shared = {F.dropout: 0, F.dropout1d: 1, F.dropout2d: 2, F.dropout3d: 3}

    class Replaced(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
        ) -> Any:
            options = dict(kwargs or {})
            if func in shared:
                p = float(options.get("p", args[1] if len(args) > 1 else 0.5))
                tensor = options.get("input", args[0] if args else None)
                return masks.dropped(cast("torch.Tensor", tensor), p, shared[func]) if p > 0 else tensor
            return func(*args, **options)

    with Replaced():
        yield


def _one_by_one(
    look: "Look", forward: "Forward", patches: "torch.Tensor", keys: "Keys", stream: tuple[int, ...]
) -> "torch.Tensor":
    """Look at each patch alone, the generator of its device seeded for it; the others are left alone."""
    import torch

    generator = _generator(patches.device)
    before = generator.get_state()
    logits = []
    try:
        for row, seed in enumerate(patch_seeds(keys, *stream).tolist()):
            generator.manual_seed(seed >> 1)
            logits.append(look(forward, patches[row : row + 1], keys[row : row + 1]))
    finally:
        generator.set_state(before)
    return torch.cat(logits)


def _generator(device: "torch.device") -> "torch.Generator":
    """Return the generator that dropout on a device draws from."""
    import torch

    if device.type == "cuda":
        index = device.index if device.index is not None else torch.cuda.current_device()
        return torch.cuda.default_generators[index]
    return torch.mps._get_default_mps_generator() if device.type == "mps" else torch.default_generator


def _dropout_nodes(graph: Any) -> Iterator[Any]:
    for kind in ("aten::dropout", "aten::feature_dropout"):
        yield from graph.findAllNodes(kind)


def _switched(graph: Any, node: Any) -> bool:
    """Set the ``training`` of a node whose value is a constant; False if it is not, or nothing would be dropped."""
    _, probability, training = node.inputs()
    fixed: Callable[[Any], bool] = lambda value: value.node().kind() == "prim::Constant"  # noqa: E731
    if not fixed(training) or (fixed(probability) and probability.toIValue() == 0):
        return False
    constant = graph.insertConstant(True)
    constant.node().moveBefore(node)
    node.replaceInput(2, constant)
    return True
