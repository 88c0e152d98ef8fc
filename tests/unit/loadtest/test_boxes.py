"""What load testers' people ask for is what the gateway takes."""

from hypothesis import given
from hypothesis import strategies as st

from loadtest.users.boxes import box_around


@given(st.floats(-60, 70), st.floats(-180, 180), st.sampled_from([180 / 2**zoom for zoom in range(3, 12)]))
def test_a_map_around_any_city_is_a_viewport(lat: float, lng: float, half: float) -> None:
    """Seen failing with `lng + 2 * half` as it is: Tokyo at zoom 3 ends at 184.7 degrees east."""
    box = box_around(lat, lng, half)
    assert -180 <= box["west"] <= 180
    assert -180 <= box["east"] <= 180
    assert -90 <= box["south"] < box["north"] <= 90
    assert abs((box["east"] - box["west"]) % 360 - 4 * half) < 1e-6
