"""The auto-scaler: what it measures, the rule it decides by, and what is kept of its decisions."""
