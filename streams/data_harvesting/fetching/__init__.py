"""Fetches politely and safely: robots, schedules of hosts, conditional requests, caps, and a frontier that survives."""
