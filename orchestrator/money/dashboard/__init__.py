"""The revenue dashboard: what was earned and spent, how that grows, and what it cost. Read from the ledger alone."""
