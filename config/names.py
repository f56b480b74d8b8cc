"""Types of text that several sections share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

# `$` alone would let a newline at the end through; the look-ahead reads the same in JSON Schema's dialect.
Name: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$(?!\n)",
        description='a name of at most 64 letters, digits, "_", "." and "-", the first a letter or digit',
    ),
]
"""The name of a service, workflow or stream; also a safe name of a file."""

Line: TypeAlias = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=1024,
        pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)",
        description="one line of at most 1024 characters",
    ),
]
"""Text on one line, without control characters."""
