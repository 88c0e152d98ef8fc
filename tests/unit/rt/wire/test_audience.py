"""Who may know of somebody's presence."""

from rt.wire.audience import strictest


def test_the_stricter_audience_holds() -> None:
    assert strictest("everyone", "followers") == "followers"
    assert strictest("nobody", "followers") == "nobody"
    assert strictest("everyone", "everyone") == "everyone"
