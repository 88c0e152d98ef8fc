"""The servers that `make bench` runs beside this gateway: each broadcasts what Redis publishes on `rt:community`."""
