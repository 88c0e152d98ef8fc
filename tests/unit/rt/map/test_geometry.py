"""Viewports, zooms and tiles."""

import math

import pytest
from h3.api import basic_str as h3
from hypothesis import given, settings
from hypothesis import strategies as st

from config.limits import MAP_TILES_PER_VIEWPORT_MAX
from rt.map import geometry

_lat = st.floats(-90, 90)
_lng = st.floats(-180, 180)


def test_zoom_names_a_resolution_as_the_protocol_says() -> None:
    expected = [2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6] + [7] * 11
    assert [geometry.resolution_of(zoom) for zoom in range(23)] == expected
    for zoom in (-1, 23):
        with pytest.raises(ValueError, match="zoom"):
            geometry.resolution_of(zoom)


def test_a_tile_is_three_resolutions_coarser_and_never_below_0() -> None:
    assert [geometry.tile_resolution(resolution) for resolution in geometry.RESOLUTIONS] == [0, 0, 1, 2, 3, 4]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(_lat, _lng, st.floats(0, 40), st.floats(0, 80), st.integers(0, 22), st.floats(0, 1), st.floats(0, 1))
def test_every_cell_with_its_centre_inside_is_in_a_tile(
    south: float, west: float, height: float, width: float, zoom: int, up: float, along: float
) -> None:
    """Seen failing with a reach of 0.8 circumradii, and with the middle of a box over the antimeridian taken on the
    other side of the world.
    """
    north = min(south + height, 90.0)
    east = (west + width + 180) % 360 - 180
    box = geometry.bounds(west, south, east, north)
    view = geometry.view(box, zoom)
    assert 1 <= len(view.tiles) <= MAP_TILES_PER_VIEWPORT_MAX
    assert view.resolution <= geometry.resolution_of(zoom)
    lat = south + (north - south) * up
    lng = (west + width * along + 180) % 360 - 180
    for cell in h3.grid_disk(h3.latlng_to_cell(lat, lng, view.resolution), 1):
        if geometry.inside(box, cell):
            assert h3.cell_to_parent(cell, geometry.tile_resolution(view.resolution)) in view.tiles


def test_the_whole_world_fits() -> None:
    world = geometry.bounds(-180, -90, 180, 90)
    assert geometry.view(world, 0) == (2, tuple(sorted(h3.get_res0_cells())))
    assert geometry.view(world, 22).resolution == 3


def test_a_city_at_street_zoom_is_a_few_tiles_of_resolution_4() -> None:
    view = geometry.view(geometry.bounds(13.1, 52.35, 13.7, 52.65), 12)
    assert view.resolution == 7
    assert 1 <= len(view.tiles) <= 12
    assert {h3.get_resolution(tile) for tile in view.tiles} == {4}


@pytest.mark.parametrize(
    "box",
    [(0, 91, 1, 92), (0, 10, 1, 5), (-181, 0, 0, 1), (0, 0, 200, 1), (math.nan, 0, 0, 1), (0, -math.inf, 0, 1)],
)
def test_bounds_that_are_none_are_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        geometry.bounds(*box)


def test_a_viewport_over_the_antimeridian_holds_both_sides() -> None:
    box = geometry.bounds(170, -20, -170, 20)
    assert box.holds(0, 175)
    assert box.holds(0, -175)
    assert not box.holds(0, 0)
