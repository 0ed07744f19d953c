"""The layers of a classification, filled patch by patch: a heat map per class, and what else is known."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari_medpatch.events import Event, PatchesScored, Started
from napari_medpatch.plugin.class_map_layer import add_class_map
from napari_medpatch.plugin.earlier_runs import RUN, give_way
from napari_medpatch.plugin.heat_layer import heat_layer
from napari_medpatch.plugin.operating_points import OperatingPoints
from napari_medpatch.plugin.overlays import QUIET, ResultLayers
from napari_medpatch.plugin.score_tally import ScoreTally
from napari_medpatch.plugin.slide_summary import partial_result
from napari_medpatch.plugin.threshold_colours import fade_below

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.models.bundle import Bundle


class LiveHeatMap(ResultLayers):
    """One run: its scores so far and the layers that draw them.

    Parameters
    ----------
    viewer, image
        As :class:`ResultLayers`.
    bundle : Bundle
        The model.
    fade : str
        How patches below the threshold are drawn, see :func:`fade_below`.
    """

    def __init__(
        self, viewer: "napari.Viewer", image: "napari.layers.Image", bundle: "Bundle", fade: str = "show"
    ) -> None:
        super().__init__(viewer, image, "Classification")
        self.bundle, self.fade = bundle, fade
        self.model = bundle.card.name
        self.class_names: tuple[str, ...] = ()
        self.points = OperatingPoints(bundle.card.class_names, bundle.card.threshold)
        self.tally: ScoreTally | None = None
        self.grid: Any = None
        self.result: Any = None
        self.displayed = ""
        self.total = 0
        self.settings: Mapping[str, Any] = {}
        self.class_map: napari.layers.Labels | None = None
        self._of_name: dict[str, napari.layers.Image] = {}
        self._waiting: list[str] = []
        self.is_adding = False

    @property
    def names(self) -> tuple[str, ...]:
        """What can be displayed: the classes, then the extras."""
        return (*self.class_names, *self.tally.extras) if self.tally is not None else ()

    @property
    def links(self) -> dict[str, Any]:
        """Live objects that each of the run's layers carries."""
        return {RUN: self, "medpatch_bundle": self.bundle}

    def on_events(self, events: Sequence[Event], *, draw: bool = True) -> None:
        """Take patches in; draw them now, or leave that to a later call."""
        if not self.image_is_there:
            return
        for event in events:
            if isinstance(event, Started):
                self._begin(event)
            elif isinstance(event, PatchesScored) and self.tally is not None:
                self.tally.put(event.cells, event.probabilities, event.extras)
        if draw:
            self.redraw()

    def on_result(self, result: Any) -> None:
        """Take the final map in and keep the result for the Export tab."""
        if not self.image_is_there or self.tally is None:
            return
        self.tally.replace(result.probabilities, result.extras)
        self._hand_out(result)
        self.settle()

    def on_stopped(self) -> None:
        """Keep what was scored as a result of its own: it can be looked at and exported."""
        if not self.image_is_there or self.tally is None or not self.tally.scored:
            return
        self._hand_out(partial_result(self))
        self.settle()

    def layer_of(self, name: str) -> "napari.layers.Image | None":
        """Return the layer of a class or extra, None if the user removed it."""
        layer = self._of_name.get(name)
        return layer if layer in self.viewer.layers else None

    def show(self, name: str) -> None:
        """Show one class or extra and hide the others; the class map, where it is shown, hides all."""
        self.displayed = name
        for each in self.names:
            layer = self.layer_of(each)
            if layer is not None:
                layer.visible = each == name and not self.shows_class_map

    def set_threshold(self, name: str, value: float) -> None:
        """Move a class's threshold: colours and class map follow."""
        self.points.set(name, value)
        self.apply_threshold()

    def apply_threshold(self) -> None:
        """Draw what is below the thresholds as ``fade`` says, and the class map anew."""
        for name in self.class_names:
            layer = self.layer_of(name)
            if layer is not None:
                layer.metadata["medpatch"] |= self._facts_of(name)
        if self.class_map is not None:
            self.class_map.metadata["medpatch"]["deciding"] = self.points.deciding
        self._catch_up()

    @property
    def shows_class_map(self) -> bool:
        """Whether the class map is there and visible."""
        return self.class_map is not None and self.class_map in self.viewer.layers and self.class_map.visible

    def show_class_map(self, *, shown: bool) -> None:
        """Show the class of each patch instead of the heat map, or the heat map again."""
        there = self.class_map is not None and self.class_map in self.viewer.layers
        if shown and not there and self.tally is not None:
            self.class_map = add_class_map(self)
            self.class_map.events.visible.connect(self._catch_up)
            if self.result is not None:
                self.class_map.metadata["medpatch_result"] = self.result
        elif there:
            self.class_map.visible = shown
        self.show(self.displayed)

    def redraw(self) -> None:
        """Draw what was written into the arrays of the layers that are seen."""
        self._add_waiting(1)
        for name in self.names:
            layer = self.layer_of(name)
            if layer is not None and layer.visible:
                self._normalise(name)
                layer.refresh(**QUIET)
        self._draw_classes()

    def settle(self) -> None:
        """Draw for the last time, thumbnails too."""
        self._add_waiting(len(self._waiting))
        for name in self.names:
            self._normalise(name)
        self._draw_classes()
        super().settle()

    def _hand_out(self, result: Any) -> None:
        self.result = result
        for layer in (*self.layers, self.class_map):
            if layer is not None:
                layer.metadata["medpatch_result"] = result

    def _catch_up(self, _event: Any = None) -> None:
        """Bring the layers that are seen up to date; hidden ones wait until they are shown."""
        for name in self.names:
            layer = self.layer_of(name)
            if layer is None or not layer.visible:
                continue
            self._normalise(name)
            if name in self.class_names:
                fade_below(layer, self.points.of(name), self.fade)
        self._draw_classes()

    def _draw_classes(self) -> None:
        layer = self.class_map
        if layer is None or not layer.visible or layer not in self.viewer.layers:
            return
        layer.data[...] = self.tally.class_map(self.points.deciding)  # type: ignore[union-attr]
        layer.refresh(**QUIET)

    def _normalise(self, name: str) -> None:
        """Attention is drawn relative to the highest so far; the others draw the arrays themselves."""
        layer = self.layer_of(name)
        if name == "attention" and layer is not None and self.tally is not None:
            layer.data[...] = self.tally.shown(name)

    def _begin(self, event: Started) -> None:
        context = event.context
        self.grid, self.class_names = context["grid"], tuple(context["class_names"])
        self.total = event.total
        extras = tuple(context.get("extra_names", ()))
        self.tally = ScoreTally(self.grid.rows, self.grid.cols, self.class_names, extras)
        self.displayed = self.class_names[-1]
        self._of_name = {name: heat_layer(self, name) for name in self.names}
        # napari takes a tenth of a second to show a layer: one at a time keeps the window alive.
        self._waiting = [self.displayed, *(name for name in self._of_name if name != self.displayed)]
        give_way(self)
        self._add_waiting(1)
        self.apply_threshold()

    def _add_waiting(self, count: int) -> None:
        """Add the next layers; the displayed class's stays on top."""
        for name in self._waiting[:count]:
            layer = self._of_name[name]
            layer.visible = name == self.displayed
            self.is_adding = True
            self.add(layer, below=self.layers[0] if self.layers else None)
            self.is_adding = False
            layer.metadata["medpatch"] |= self._facts_of(name)
            layer.events.visible.connect(self._catch_up)
        del self._waiting[:count]

    def _facts_of(self, name: str) -> dict[str, Any]:
        """Return what the Export tab must know of a class's threshold."""
        return {"threshold": self.points.of(name), "deciding": self.points.deciding}
