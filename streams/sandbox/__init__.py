"""The paper world: customers and venues that the daemon runs beside the fleet in mode `sandbox`."""
