"""`ledger.*`: the books."""

from __future__ import annotations

from typing import Any

import msgspec

from actors import ActorRef
from orchestrator.access.dispatch import Methods, NoParams, Session
from orchestrator.money.messages import ReadEntries, ReadTotals, TellStories, VerifyLedger
from orchestrator.money.report import EntryPage, Totals, TotalsBy, VerifyReport
from orchestrator.money.story import Stories
from streams.booking import BookName, PresentState

_ASK_S = 25.0
VERIFY_S = 600.0
WHY_S = 120.0


class TotalsParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which book, how finely, and whether without what instances earned of each other."""

    book: BookName
    by: TotalsBy | None = None
    consolidated: bool = True


class EntriesParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which transactions."""

    book: BookName | None = None
    stream: str | None = None
    instance: str | None = None
    limit: int = 100
    cursor: str | None = None
    newest_first: bool = False
    state: PresentState | None = None


class WhyParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A transaction's id or idempotency key, or what its evidence is called where it comes from."""

    id: str


def register_ledger(methods: Methods, ledger: ActorRef[Any]) -> None:
    """Register the methods."""

    @methods.register("ledger.totals")
    async def totals(params: TotalsParams, session: Session) -> Totals:
        """Add up income and cost of one book."""
        read: Totals = await ledger.ask(ReadTotals(params.book, params.by, params.consolidated), _ASK_S)
        return read

    @methods.register("ledger.entries")
    async def entries(params: EntriesParams, session: Session) -> EntryPage:
        """Page through transactions, with postings and evidence."""
        asked = ReadEntries(
            params.book,
            params.stream,
            params.instance,
            params.limit,
            params.cursor,
            params.newest_first,
            params.state,
        )
        page: EntryPage = await ledger.ask(asked, _ASK_S)
        return page

    @methods.register("ledger.verify", limit_s=VERIFY_S)
    async def verify(params: NoParams, session: Session) -> VerifyReport:
        """Recompute the chain, the balances and the digests of all evidence."""
        report: VerifyReport = await ledger.ask(VerifyLedger(), VERIFY_S)
        return report

    @methods.register("ledger.why", limit_s=WHY_S)
    async def why(params: WhyParams, session: Session) -> Stories:
        """Tell the story of a transaction: proof, postings, place in the chain, what came before and after.

        Nothing of that name is an empty list. Looking for evidence reads through all transactions.
        """
        stories: Stories = await ledger.ask(TellStories(params.id), WHY_S)
        return stories
