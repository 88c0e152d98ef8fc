"""A token bucket's one rule. Pure."""


def refilled(tokens: float, passed_s: float, per_s: float, size: float) -> float:
    """What a bucket of `size` that had `tokens` has after so many seconds at `per_s` a second."""
    now = tokens + passed_s * per_s
    return now if now < size else size
