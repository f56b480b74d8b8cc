"""Failover: standbys are kept ready, and take over from instances whose restart budget is exhausted."""
