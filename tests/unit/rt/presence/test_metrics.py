"""The keeper's figures as Prometheus reads them."""

from prometheus_client.parser import text_string_to_metric_families

from rt.presence.metrics import BOUNDS_S, GHOST, exposition, observe


def test_the_histogram_adds_up_and_is_read_by_the_official_parser() -> None:
    stats: dict[str, float] = {"reaped": 7}
    observe(stats, GHOST, 8.5, 3)
    observe(stats, GHOST, 500.0, 1)
    families = {family.name: family for family in text_string_to_metric_families(exposition(stats).decode())}
    samples = {(s.name, s.labels.get("le")): s.value for s in families["presence_ghost_seconds"].samples}
    buckets = [samples["presence_ghost_seconds_bucket", str(bound)] for bound in BOUNDS_S]
    assert buckets == [0, 0, 0, 0, 0, 3, 3, 3, 3, 3]
    assert samples["presence_ghost_seconds_bucket", "+Inf"] == samples["presence_ghost_seconds_count", None] == 4
    assert samples["presence_ghost_seconds_sum", None] == 525.5
    assert families["presence_reaped"].samples[0].value == 7


def test_nothing_is_said_where_no_keeper_is_known() -> None:
    assert exposition({}) == b""
