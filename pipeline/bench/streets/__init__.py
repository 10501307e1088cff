"""Made streets: people who walk before a camera, with exact truth, as a real detector sees them."""
