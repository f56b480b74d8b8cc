"""Selling by the call: keys, rates, quotas, credit, idempotency and booking, as one decision."""
