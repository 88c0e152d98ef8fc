"""EventSource of real Chromium, through both proxies as shipped: it comes back by itself, and misses nothing."""
