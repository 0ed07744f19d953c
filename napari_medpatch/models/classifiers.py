"""Patch classifiers: any timm architecture, with timm's own head or a configurable one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from napari_medpatch.errors import BundleError

if TYPE_CHECKING:
    from torch import nn

Pooling = Literal["avg", "max", "avgmax"]
POOLINGS = ("avg", "max", "avgmax")
# Offered first in the window; every other timm name works too.
SUGGESTED = ("resnet18", "resnet50", "densenet169", "efficientnet_b0", "mobilenetv2_100", "vgg16", "vgg19")


def build_classifier(
    architecture: str,
    num_classes: int,
    *,
    pretrained: bool = False,
    hidden: Sequence[int] = (),
    dropout: float = 0.0,
    pooling: Pooling = "avg",
    **options: Any,
) -> "nn.Module":
    """Build a patch classifier.

    Parameters
    ----------
    architecture : str
        timm name, for example ``"resnet18"`` or ``"vgg16"``.
    num_classes : int
        Outputs.
    pretrained : bool
        Let timm fetch its weights (from its cache, or the network).
    hidden : sequence of int
        Widths of fully connected layers, each with ReLU, between the pooled features and the output, as
        notebooks put on an ImageNet network. Empty keeps the architecture's own head.
    dropout : float
        Before each fully connected layer.
    pooling : str
        ``"avg"``, ``"max"`` or ``"avgmax"`` (both, concatenated), with ``hidden`` or another value than
        ``"avg"``.
    **options
        Passed to ``timm.create_model`` (for example ``in_chans``).

    Returns
    -------
    torch.nn.Module
        ``(N, 3, Y, X)`` float to logits ``(N, num_classes)``; in training mode.

    Raises
    ------
    BundleError
        If the name or an option is unknown, or pretrained weights cannot be fetched.
    """
    if num_classes < 1 or pooling not in POOLINGS or not 0 <= dropout < 1 or any(width < 1 for width in hidden):
        raise BundleError(
            f"No classifier with {num_classes} classes, hidden {list(hidden)}, dropout {dropout}, pooling {pooling!r} "
            f"can be built; pooling is one of {', '.join(POOLINGS)}."
        )
    check_architecture(architecture)
    if not hidden and pooling == "avg":
        return create_timm(architecture, pretrained, num_classes=num_classes, drop_rate=dropout, **options)
    from napari_medpatch.models.classifier_layers import Classifier

    backbone = create_timm(architecture, pretrained, num_classes=0, **options)
    return Classifier(backbone, num_classes, hidden=hidden, dropout=dropout, pooling=pooling)


def check_architecture(architecture: str) -> None:
    """Raise :class:`BundleError`, with close names, if timm does not know an architecture."""
    import difflib

    import timm

    if timm.is_model(architecture.partition(".")[0]):
        return
    close = difflib.get_close_matches(architecture, timm.list_models(), n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else f"try {', '.join(SUGGESTED)}."
    raise BundleError(f"timm has no architecture {architecture!r}; {hint}")


def create_timm(architecture: str, pretrained: bool, **options: Any) -> "nn.Module":
    """Call ``timm.create_model`` and word its errors."""
    import timm

    try:
        model: nn.Module = timm.create_model(architecture, pretrained=pretrained, **options)
    except TypeError as error:
        raise BundleError(f"{architecture} cannot be built with {options}: {error}.") from error
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise BundleError(f"{architecture} cannot be built: {_first_line(error)}.") from error
        raise BundleError(
            f"The pretrained weights of {architecture} could not be fetched ({_first_line(error)}); "
            "connect to the internet once, or start without them."
        ) from error
    return model


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
