"""Boxes of a map, for `viewport`. Pure."""


def box_around(lat: float, lng: float, half: float) -> dict[str, float]:
    """A box of degrees, twice as wide as high, as `viewport` wants it: across the antimeridian west is above east."""
    west, east = ((side + 180) % 360 - 180 for side in (lng - 2 * half, lng + 2 * half))
    return {"west": west, "east": east, "south": max(-85.0, lat - half), "north": min(85.0, lat + half)}
