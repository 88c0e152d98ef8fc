"""Places that an operator never shows (MAP_HIDDEN): H3 cells, and circles. Pure.

Whoever is in such a place counts in no cell of any resolution. A place is made of whole cells of resolution 7: those
that a circle touches are in it.
"""

from collections.abc import Sequence
from typing import Final

from h3.api import basic_int as h3

from config.limits import CELL_RESOLUTION

Circle = tuple[float, float, float]  # latitude and longitude in degrees, radius in km

_KEPT_MAX: Final = 200_000  # decisions that are remembered


class Hidden:
    """See the module. `places` as Settings.hidden_places has them; none hides nothing and costs nothing."""

    __slots__ = ("_cells", "_circles", "_known", "_resolutions")

    def __init__(self, places: Sequence[str | Circle] = ()) -> None:
        cells = [h3.str_to_int(place) for place in places if isinstance(place, str)]
        self._cells = {
            h3.cell_to_parent(cell, CELL_RESOLUTION) if h3.get_resolution(cell) > CELL_RESOLUTION else cell
            for cell in cells
        }
        self._resolutions = sorted({h3.get_resolution(cell) for cell in self._cells})
        self._circles = [place for place in places if not isinstance(place, str)]
        self._known: dict[int, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._cells or self._circles)

    def holds(self, cell: int) -> bool:
        """Whether a cell is in such a place: of resolution 7, any part of it; of a coarser one, its centre."""
        known = self._known.get(cell)
        if known is None:
            if len(self._known) >= _KEPT_MAX:
                self._known.clear()
            known = self._known[cell] = self._inside(cell) or self._near(
                cell, _reach_km(cell) if h3.get_resolution(cell) == CELL_RESOLUTION else 0.0
            )
        return known

    def meets(self, cell: int) -> bool:
        """Whether any part of a cell may be in such a place."""
        resolution = h3.get_resolution(cell)
        within = any(
            h3.get_resolution(one) >= resolution and h3.cell_to_parent(one, resolution) == cell for one in self._cells
        )
        return within or self._inside(cell) or self._near(cell, _reach_km(cell))

    def _inside(self, cell: int) -> bool:
        own = h3.get_resolution(cell)
        return any(r <= own and h3.cell_to_parent(cell, r) in self._cells for r in self._resolutions)

    def _near(self, cell: int, reach_km: float) -> bool:
        centre = h3.cell_to_latlng(cell)
        return any(
            h3.great_circle_distance(centre, (lat, lng), unit="km") <= radius_km + reach_km
            for lat, lng, radius_km in self._circles
        )


def _reach_km(cell: int) -> float:
    """From the centre of a cell to its farthest corner."""
    centre = h3.cell_to_latlng(cell)
    farthest: float = max(h3.great_circle_distance(centre, corner, unit="km") for corner in h3.cell_to_boundary(cell))
    return farthest
