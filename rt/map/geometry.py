"""Which cells and tiles a viewport shows. Pure.

Cells are H3 indexes of resolution 7 (about 5 km²) as lower-case hexadecimal strings; coordinates are degrees.
"""

from functools import lru_cache
from math import asin, atan2, cos, isfinite, pi, radians, sin, sqrt, tan
from typing import Final, NamedTuple

from h3.api import basic_str as h3

from config.limits import MAP_TILES_PER_VIEWPORT_MAX

RESOLUTIONS: Final = (2, 3, 4, 5, 6, 7)  # what a map can show
TILE_STEP: Final = 3  # a tile is the parent this many resolutions coarser
ZOOM_MAX: Final = 22

_VIEWS_KEPT: Final = 1_024  # many look at the same place: the page's first view, or where they stood before a restart
# A descendant's centre lies within √3/√7 + √3/7 + √3/7√7 = 0.996 circumradii of its tile's centre; the rest is for the
# distortion of cells near pentagons.
_TILE_REACH: Final = 1.2


class Bounds(NamedTuple):
    """A viewport in degrees; west > east crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    def holds(self, lat: float, lng: float) -> bool:
        """Whether the point is inside, edges included."""
        if not self.south <= lat <= self.north:
            return False
        if self.west <= self.east:
            return self.west <= lng <= self.east
        return lng >= self.west or lng <= self.east


class View(NamedTuple):
    """What a viewport shows: cells of `resolution` in these tiles (at most MAP_TILES_PER_VIEWPORT_MAX)."""

    resolution: int
    tiles: tuple[str, ...]


def resolution_of(zoom: int) -> int:
    """The resolution that a zoom shows: 0-3: 2, 4-5: 3, 6-7: 4, 8-9: 5, 10-11: 6, 12 and more: 7."""
    if not 0 <= zoom <= ZOOM_MAX:
        raise ValueError("zoom must be within 0..22")
    return min(max(zoom // 2 + 1, RESOLUTIONS[0]), RESOLUTIONS[-1])


def tile_resolution(resolution: int) -> int:
    """The resolution of the tiles that carry cells of `resolution`."""
    return max(resolution - TILE_STEP, 0)


def bounds(west: float, south: float, east: float, north: float) -> Bounds:
    """The viewport. ValueError when it is none (NaN, latitude 91, south above north)."""
    if not all(map(isfinite, (west, south, east, north))):
        raise ValueError("bounds must be finite numbers")
    if not -90 <= south <= north <= 90 or not -180 <= west <= 180 or not -180 <= east <= 180:
        raise ValueError("south and north must be ordered within -90..90, west and east within -180..180")
    return Bounds(west, south, east, north)


@lru_cache(maxsize=_VIEWS_KEPT)
def view(box: Bounds, zoom: int) -> View:
    """The tiles that hold every cell whose centre is in `box`, at the zoom's resolution.

    Where those would be more than MAP_TILES_PER_VIEWPORT_MAX (a zoom that no screen of that size has), the next
    coarser resolution that fits. ValueError for a zoom outside 0..22.
    """
    for resolution in range(resolution_of(zoom), RESOLUTIONS[0], -1):
        tiles = _tiles(box, tile_resolution(resolution)) if _may_fit(box, tile_resolution(resolution)) else None
        if tiles is not None:
            return View(resolution, tiles)
    return View(RESOLUTIONS[0], _tiles(box, 0) or tuple(sorted(h3.get_res0_cells())))


def inside(box: Bounds, cell: str) -> bool:
    """Whether the cell's centre is in the viewport."""
    return box.holds(*_centre(cell))


def _may_fit(box: Bounds, resolution: int) -> bool:
    """Whether tiles twice as large as the average could cover the box: spares the walk for a hopeless one."""
    area = radians(_width(box)) * (sin(radians(box.north)) - sin(radians(box.south)))  # of a sphere of radius 1
    return area <= 2 * MAP_TILES_PER_VIEWPORT_MAX * 4 * pi / int(h3.get_num_cells(resolution))


def _width(box: Bounds) -> float:
    return box.east - box.west if box.west <= box.east else 360.0 - box.west + box.east


def _tiles(box: Bounds, resolution: int) -> tuple[str, ...] | None:
    """Walks from the tile in the middle to every neighbour that reaches into the box; None when there are too many.

    The tiles that touch the box are connected, and one whose reach touches it is a neighbour of one of them.
    """
    middle = (box.west + _width(box) / 2 + 180.0) % 360.0 - 180.0
    start = h3.latlng_to_cell((box.south + box.north) / 2, middle, resolution)
    found = [start]
    seen = {start}
    edge = [start]
    while edge:
        for tile in _neighbours(edge.pop()):
            if tile in seen:
                continue
            seen.add(tile)
            if _reaches(tile, box):
                found.append(tile)
                edge.append(tile)
                if len(found) > MAP_TILES_PER_VIEWPORT_MAX:
                    return None
    return tuple(sorted(found))


def _reaches(tile: str, box: Bounds) -> bool:
    """Whether a circle around the tile that holds the centres of all its cells meets the box."""
    lat, lng, reach = _circle(tile)
    if box.holds(min(max(lat, box.south), box.north), lng):  # straight north or south of the box, or in it
        return radians(max(box.south - lat, lat - box.north, 0.0)) <= reach
    return min(_to_meridian(lat, lng, box, box.west), _to_meridian(lat, lng, box, box.east)) <= reach


def _to_meridian(lat: float, lng: float, box: Bounds, meridian: float) -> float:
    """Angle (radians) from a point to one side of the box, a piece of a meridian."""
    turn = radians((meridian - lng + 180.0) % 360.0 - 180.0)
    here, south, north = radians(lat), radians(box.south), radians(box.north)
    ends = min(_angle(here, south, turn), _angle(here, north, turn))
    if cos(turn) <= 0:
        return ends
    foot = atan2(tan(here), cos(turn))  # of the perpendicular on the whole meridian
    return _angle(here, foot, turn) if south <= foot <= north else ends


def _angle(lat: float, other: float, turn: float) -> float:
    """The haversine formula: angle between two points that are `turn` apart in longitude; radians."""
    half = sin((lat - other) / 2) ** 2 + cos(lat) * cos(other) * sin(turn / 2) ** 2
    return 2 * asin(sqrt(min(half, 1.0)))


@lru_cache(maxsize=16_384)
def _centre(cell: str) -> tuple[float, float]:
    lat, lng = h3.cell_to_latlng(cell)
    return lat, lng


@lru_cache(maxsize=16_384)
def _circle(tile: str) -> tuple[float, float, float]:
    """Centre (degrees) and reach (radians)."""
    lat, lng = h3.cell_to_latlng(tile)
    corners = h3.cell_to_boundary(tile)
    reach = max(_angle(radians(lat), radians(a), radians(b - lng)) for a, b in corners)
    return lat, lng, reach * _TILE_REACH


@lru_cache(maxsize=16_384)
def _neighbours(tile: str) -> tuple[str, ...]:
    return tuple(h3.grid_disk(tile, 1))
