"""How far a step may reach: what nobody can mean, or would wait for, is refused before it begins."""

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.amount import Length
from napari_medpatch.infer.clean.work import Place


def check_reach(step: str, length: Length, place: Place, most_voxels: int) -> None:
    """Raise unless a length is small beside the image and takes no hours.

    Parameters
    ----------
    step : str
        Keyword of the step.
    length : Length
        Its radius or standard deviation.
    place : Place
        Of the mask.
    most_voxels : int
        How far the step may reach along any axis.

    Raises
    ------
    SettingsError
        If the length is more than half of the image's longest side, reaches further than ``most_voxels``, or needs a
        voxel size that nobody knows.
    """
    value, voxel = length.on_grid(place.voxel, place.unit)
    longest = max((n * edge for n, edge in zip(place.shape, voxel, strict=False)), default=float("inf"))
    if value > longest / 2:
        raise SettingsError(
            f"{step}:{length} is too much for an image whose longest side is {length.in_own_unit(longest)}; "
            f"{step} takes up to {length.in_own_unit(longest / 2)} here."
        )
    if value > (most_voxels + 1) * min(voxel):
        raise SettingsError(
            f"{step}:{length} reaches {int(value / min(voxel))} voxels far, which would take hours; {step} takes up to "
            f"{most_voxels} voxels, {length.in_own_unit(most_voxels * min(voxel))} here."
        )
