"""Clips: segments and track log as `watch` writes them, and what `record` cuts and draws of them."""
