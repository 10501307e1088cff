"""Clips: segments and track log as `watch` writes them, and what `record` makes of them."""
