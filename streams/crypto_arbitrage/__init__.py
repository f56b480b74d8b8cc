"""Cross-venue and triangular arbitrage: what one instance does for a living."""
