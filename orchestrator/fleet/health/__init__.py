"""What the health monitor knows, and how it decides; `orchestrator.fleet.health_monitor` is the actor around it."""
