"""Partitions, speeds and clocks of presence."""

from zlib import crc32

from h3.api import basic_str as h3

from rt.presence import rules


def test_the_partition_of_a_user_is_fixed() -> None:
    assert rules.partition_of("user-1", 16) == crc32(b"user-1") % 16
    assert {rules.partition_of(f"u{n}", 16) for n in range(500)} == set(range(16))


def test_who_flies_is_too_fast_only_beyond_a_plane() -> None:
    berlin, munich = h3.latlng_to_cell(52.52, 13.4, 7), h3.latlng_to_cell(48.14, 11.58, 7)  # 505 km
    assert rules.too_fast(berlin, munich, 60)
    assert not rules.too_fast(berlin, munich, 3_600)
    neighbour = next(cell for cell in h3.grid_disk(berlin, 1) if cell != berlin)
    assert not rules.too_fast(berlin, neighbour, 0)


def test_the_guard_notices_another_server_and_a_jump_but_no_drift() -> None:
    """Seen failing with a jump that was measured from the first call only (drift adds up)."""
    guard = rules.ClockGuard()
    assert not guard.changed("a", 1_000_000, 0)
    for second in range(1, 100):  # 10 % too fast: never more than a little between two looks
        assert not guard.changed("a", 1_000_000 + second * 1_100, second * 1_000)
    assert guard.changed("a", 1_000_000 + 100 * 1_100 + 120_000, 100_000)
    assert not guard.changed("a", 1_000_000 + 101 * 1_100 + 120_000, 101_000)
    assert guard.changed("a", 1_000_000, 102_000)
    assert guard.changed("b", 1_001_000, 103_000)
    assert not guard.changed("b", 1_002_000, 104_000)
