"""Places that an operator never shows."""

import pytest
from h3.api import basic_int as h3
from pydantic import ValidationError

from config.settings import Settings
from rt.map.hidden import Hidden

CENTRE = h3.latlng_to_cell(52.52, 13.4, 7)


def test_none_hides_nothing() -> None:
    assert not Hidden()
    assert not Hidden().holds(CENTRE)


def test_a_circle_hides_every_cell_that_it_touches() -> None:
    """Seen failing with a look at centres only: somebody at the edge of the place was in a cell beyond it."""
    hidden = Hidden([(52.52, 13.4, 3.0)])
    inside = [h3.latlng_to_cell(52.52 + 0.0269 * n / 10, 13.4, 7) for n in range(-10, 11)]  # up to 3 km north and south
    assert all(hidden.holds(cell) for cell in inside)
    assert not hidden.holds(h3.latlng_to_cell(52.6, 13.4, 7))
    assert not hidden.holds(h3.cell_to_parent(CENTRE, 2))  # its centre is elsewhere, and others are in it
    assert hidden.meets(h3.cell_to_parent(CENTRE, 2))


def test_a_cell_of_any_resolution_hides_what_is_in_it() -> None:
    for resolution in (0, 3, 5, 7, 9):
        cell = h3.latlng_to_cell(52.52, 13.4, resolution)
        hidden = Hidden([h3.int_to_str(cell)])
        assert hidden.holds(CENTRE)
        assert hidden.meets(h3.cell_to_parent(CENTRE, 4))
        assert not hidden.holds(h3.latlng_to_cell(-33.9, 151.2, 7))
        assert not hidden.meets(h3.latlng_to_cell(-33.9, 151.2, 4))


def test_the_setting_is_read_and_refused_by_name() -> None:
    assert Settings(map_hidden="871f1d489ffffff; 52.5,13.4,2").hidden_places == ("871f1d489ffffff", (52.5, 13.4, 2.0))
    for wrong in ("berlin", "871f1d489fffff0", "52.5,13.4", "52.5,13.4,0", "91,0,1", "nan,0,1", "0,0,20000"):
        with pytest.raises(ValidationError, match="MAP_HIDDEN must be"):
            Settings(map_hidden=(wrong,))
