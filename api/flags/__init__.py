"""Flags: what is switched on for whom, changed while everything runs."""
