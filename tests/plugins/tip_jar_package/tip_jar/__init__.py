"""A stream from outside the project, as anyone may write one."""
