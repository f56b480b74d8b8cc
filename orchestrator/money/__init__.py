"""Money: the ledger and what is computed from it."""
