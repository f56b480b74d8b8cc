"""What an operator may ask of a site."""

from __future__ import annotations

import msgspec

from actors import Refusal


class AddArticle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Put an article on the site; it is a file in the instance's `content` from then on.

    Attributes:
        slug: Its name in addresses.
        markdown: Its head in TOML between lines of `+++`, and its text.
        replace: Whether it may take the place of one that is there.
    """

    slug: str
    markdown: str
    replace: bool = False


class EndContract(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End a contract now; what was delivered until now is stated and booked.

    Attributes:
        contract: Its id.
    """

    contract: str


class AlreadyThere(Refusal):
    """There is an article of that name."""

    rpc_code = -32002

    def __init__(self, slug: str) -> None:
        super().__init__(f"there is an article {slug!r}; say replace=true to put this one in its place")


class NoSuchContract(Refusal):
    """There is no contract of that id, or it has ended."""

    rpc_code = -32001

    def __init__(self, contract: str, known: list[str]) -> None:
        there_are = f"there are {', '.join(known)}" if known else "there is none in force"
        super().__init__(f"there is no contract {contract!r} in force here; {there_are}")
