"""A metered HTTP API per instance: products, keys and plans; quota, idempotency and booking as one decision."""
