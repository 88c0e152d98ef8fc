"""What the relay tells about itself, beside the names of config/metrics.py."""

import math
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

LEADER: Final = Gauge("relay_leader", "1 while this process is the relay")
LAG_S: Final = Gauge("relay_lag_seconds", "Age of the oldest event that has no offset yet")
OUTBOX_DEPTH: Final = Gauge("relay_outbox_depth", "Events that have no offset yet, counted to 10,000")
BEHIND: Final = Gauge("relay_behind", "1 while Redis may lack something that PostgreSQL has")
NUMBERED: Final = Counter("relay_events_numbered_total", "Events that got their offsets")
PUBLISHED: Final = Counter("relay_renditions_published_total", "Renditions appended and published, one per channel")
REFILLED: Final = Counter("relay_channels_refilled_total", "Channels that Redis lacked or had wrong", ["why"])
UNREADABLE: Final = Counter("relay_events_unreadable_total", "Rows of the outbox that are no event; they are skipped")
DELAY_S: Final = Histogram(
    "relay_delay_seconds",
    "From the oldest event of a batch to its publication",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
MONTHS_AHEAD: Final = Gauge("partition_months_ahead", "Months whose partition is made, this one included", ["table"])
DROPPED: Final = Counter("retention_rows_dropped_total", "Rows that were over their term", ["what"])
OLDEST_S: Final = Gauge(
    "retention_oldest_seconds", "Age of the oldest that is kept; of sessions: since it was over", ["what"]
)
JOB_AGE_S: Final = Gauge("job_age_seconds", "Since a job was finished last, by any worker", ["name"])
JOB_TOOK_S: Final = Gauge("job_took_seconds", "How long its last run took", ["name"])
JOB_OVERDUE_S: Final = Gauge("job_overdue_seconds", "How long the newest slot of a job waits; 0 = done", ["name"])
JOB_FAILURES: Final = Counter("job_failures_total", "Runs of a job that failed here; they are tried again", ["name"])
AUDIT_FINDINGS: Final = Gauge("audit_findings", "What the last audit of this kind found wrong in the books", ["kind"])
AUDIT_AGE_S: Final = Gauge("audit_age_seconds", "Since the last audit of this kind; +Inf = there was none", ["kind"])
for _kind in ("window", "whole"):
    AUDIT_FINDINGS.labels(_kind).set(0)
    AUDIT_AGE_S.labels(_kind).set(math.inf)
