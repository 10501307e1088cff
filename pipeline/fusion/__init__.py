"""Weighs all evidence about an event into one score."""
