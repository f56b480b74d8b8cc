"""`ledger`: what was earned and spent, the proof that the books are right, and copies of them."""

from orchestrator.access.cli.ledger import reading, proof, files, reconciling  # isort: skip  the order of the help
from orchestrator.access.cli.ledger.root import ledger

__all__ = ["files", "ledger", "proof", "reading", "reconciling"]
