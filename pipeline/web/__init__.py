"""The page on which events are reviewed, and the API behind it."""
