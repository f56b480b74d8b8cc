"""The page in the terminal, `automate top`: a client of the control socket, drawn by Textual.

Imported by that command alone, and only when it runs: nothing else of the project needs a terminal.
"""
