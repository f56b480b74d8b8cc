"""The command line: `automate`, a client of the control socket that reads the files where no daemon runs.

Nothing heavy is imported before the command that needs it is known, so that a quick question is answered quickly.
"""

from orchestrator.access.cli.program import main

__all__ = ["main"]
