"""Channels: the bus, live streams, joins and recoveries, and the flushes that write to whoever hears them."""
