"""The one decision: is this impression, or this click, billable?

    rendered (a token) → in view long enough (a beacon) → billable impression → click → billable click

Every claim of an impression is counted as gross, and ends as billable, as filtered for one reason, or waits:
`gross = billable + filtered + waiting`. A claim is a slot that was rendered, and a beacon that has no rendering of its
own behind it. Budgets are checked and spent without an await between, so they hold however many come at once.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec

from streams.content_monetization.ad_token import ForgedToken, Rendering, TokenMint
from streams.content_monetization.contract import SlotName, SponsorContract
from streams.content_monetization.contract_account import GROSS, ContractAccount
from streams.content_monetization.delivery_events import Delivered
from streams.content_monetization.delivery_log import DeliveryLog
from streams.content_monetization.rotation import Placement, Rotation, is_in_pace
from streams.content_monetization.visitor import Exclusion, Visitor
from streams.content_monetization.visitor_memory import VisitorMemory

Refused: TypeAlias = (
    Exclusion
    | Literal[
        "forged", "expired", "duplicate", "replayed", "too_fast", "not_rendered", "ended", "over_cap", "over_frequency"
    ]
    | Literal["not_stored"]
)
"""Why a claim is not billable."""

Outcome: TypeAlias = Refused | Literal["billable"]

MAX_WAITING: Final = 20_000
"""Rendered slots whose beacon is waited for; the oldest is given up for another."""

_MAX_AHEAD_MS: Final = 5_000


class DeskRules(msgspec.Struct, frozen=True):
    """What the settings say of impressions and clicks, seconds."""

    view_after_s: float
    view_life_s: float
    click_life_s: float


class Shown(msgspec.Struct, frozen=True):
    """A sponsor in a slot of a page that is being rendered."""

    contract: SponsorContract
    token: str


class _Waiting(msgspec.Struct, frozen=True, gc=False):
    contract: str
    issued_s: float


class AdDesk:
    """Fills the slots of one instance, and decides on impressions and clicks.

    Args:
        placements: The contracts that may be shown.
        log: Where what is billable is counted.
        mint: Makes and reads tokens.
        memory: What visitors did.
        rules: What the settings say.
    """

    def __init__(
        self,
        placements: Sequence[Placement],
        log: DeliveryLog,
        mint: TokenMint,
        memory: VisitorMemory,
        rules: DeskRules,
    ) -> None:
        self._placements = {placement.contract.id: placement for placement in placements}
        self._rotation = Rotation(placements)
        self._log = log
        self._mint = mint
        self._memory = memory
        self._rules = rules
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        # Who used a token, and until when that matters; also where it did not count.
        self._used: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self.counts: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Rendered slots whose beacon may still come."""
        return len(self._waiting)

    def fill(
        self, page: str, slots: Sequence[SlotName], visitor: Visitor, now: datetime, now_s: float
    ) -> dict[SlotName, Shown]:
        """Fill the slots of a page that is being rendered. Who is not billable gets none.

        Args:
            page: The page's path.
            slots: Its slots.
            visitor: Who asked for it.
            now: The time, aware UTC.
            now_s: Seconds for intervals.
        """
        shown: dict[SlotName, Shown] = {}
        taken: set[str] = set()
        for slot in slots:
            eligible = [
                placement
                for placement in self._rotation.candidates(slot)
                if placement.contract.id not in taken and self._is_eligible(placement, visitor, now)
            ]
            if not eligible:
                continue
            if visitor.exclusion is not None:
                # They would have seen it: counted, but nobody's turn is taken for them.
                taken.add(eligible[0].contract.id)
                self._claim(eligible[0].contract.id)
                self._refuse(eligible[0].contract.id, visitor.exclusion)
                continue
            contract = self._rotation.next(slot, eligible).contract
            taken.add(contract.id)
            rendering, token = self._mint.make(contract.id, slot, page, _milliseconds(now))
            self._wait_for(rendering, now_s)
            shown[slot] = Shown(contract, token)
        return shown

    def view(self, token: str, visitor: Visitor, now: datetime, now_s: float) -> Outcome:
        """Decide on a beacon: the slot of this token was in view long enough."""
        try:
            rendering = self._mint.read(token)
        except ForgedToken:
            self._claim(None)
            return self._refuse(None, "forged")
        waited = self._waiting.pop(rendering.nonce, None)
        if waited is None:
            self._claim(rendering.contract)
        refused = self._refused_view(rendering, waited, visitor, now, now_s)
        self._use(rendering.nonce, visitor, now_s)
        if refused is not None:
            return self._refuse(rendering.contract, refused)
        account = self._log.account(rendering.contract)
        self._log.deliver(Delivered(rendering.contract, rendering.nonce, now, account.terms.view_milli))
        self._memory.viewed(rendering.contract, visitor.id, now, now_s)
        self.counts["billable"] += 1
        return "billable"

    def click(self, token: str, visitor: Visitor, now: datetime, now_s: float) -> tuple[str | None, Outcome]:
        """Decide on a click, and return where it leads: to what the contract says, whether it is billable or not.

        None where the token is not this instance's, or its contract is gone.
        """
        self.counts["clicks"] += 1
        try:
            rendering = self._mint.read(token)
        except ForgedToken:
            return None, self._refuse_click("forged")
        placement = self._placements.get(rendering.contract)
        if placement is None:
            return None, self._refuse_click("ended")
        destination = placement.contract.destination
        refused = self._refused_click(rendering, visitor, now)
        if refused is not None:
            return destination, self._refuse_click(refused)
        account = self._log.account(rendering.contract)
        self._log.deliver(Delivered(rendering.contract, rendering.nonce, now, account.terms.click_milli, click=True))
        self._memory.clicked(rendering.contract, visitor.id, now)
        self.counts["clicks_billable"] += 1
        return destination, "billable"

    def sweep(self, now_s: float) -> None:
        """Give up the slots whose beacon has not come in time."""
        while self._waiting:
            nonce, waiting = next(iter(self._waiting.items()))
            if now_s - waiting.issued_s <= self._rules.view_life_s:
                break
            self._give_up(nonce, waiting)
        while self._used:
            nonce, (_, until_s) = next(iter(self._used.items()))
            if now_s < until_s:
                break
            del self._used[nonce]

    def _is_eligible(self, placement: Placement, visitor: Visitor, now: datetime) -> bool:
        account = self._log.account(placement.contract.id)
        terms = placement.terms
        return (
            account.holds_at(now)
            and account.affords(terms.view_milli + terms.click_milli, now)
            and is_in_pace(placement, account, now)
            and self._memory.may_view(placement.contract, visitor.id, now)
        )

    def _refused_view(
        self, rendering: Rendering, waited: _Waiting | None, visitor: Visitor, now: datetime, now_s: float
    ) -> Refused | None:
        rules = self._rules
        if (used := self._used.get(rendering.nonce)) is not None:
            return "duplicate" if used[0] == visitor.id else "replayed"
        if self._log.spent(rendering.nonce) is not None:
            return "replayed"
        age_ms = _milliseconds(now) - rendering.issued_at_ms
        if not -_MAX_AHEAD_MS <= age_ms <= rules.view_life_s * 1000:
            return "expired"
        if visitor.exclusion is not None:
            return visitor.exclusion
        # Rendered by this process, the steady clock tells; before a restart, the other one has to.
        shown_s = age_ms / 1000 if waited is None else now_s - waited.issued_s
        if shown_s < rules.view_after_s:
            return "too_fast"
        placement = self._placements.get(rendering.contract)
        if placement is None or not self._log.account(rendering.contract).holds_at(now):
            return "ended"
        if self._memory.is_too_busy(visitor.id, now_s):
            return "bot"
        if not self._memory.may_view(placement.contract, visitor.id, now):
            return "over_frequency"
        return self._unaffordable(self._log.account(rendering.contract), placement.terms.view_milli, now)

    def _refused_click(self, rendering: Rendering, visitor: Visitor, now: datetime) -> Refused | None:
        if visitor.exclusion is not None:
            return visitor.exclusion
        if (spent := self._log.spent(rendering.nonce)) is None:
            return "not_rendered"
        if spent.clicked:
            return "duplicate"
        if (used := self._used.get(rendering.nonce)) is not None and used[0] != visitor.id:
            return "replayed"
        age_s = (now - spent.at).total_seconds()
        if not -_MAX_AHEAD_MS / 1000 <= age_s <= self._rules.click_life_s:
            return "expired"
        account = self._log.account(rendering.contract)
        if not account.holds_at(now):
            return "ended"
        if self._memory.has_clicked(rendering.contract, visitor.id, now):
            return "duplicate"
        return self._unaffordable(account, account.terms.click_milli, now)

    def _unaffordable(self, account: ContractAccount, milli: int, now: datetime) -> Refused | None:
        if not account.affords(milli, now):
            return "over_cap"
        return None if self._log.has_room else "not_stored"

    def _wait_for(self, rendering: Rendering, now_s: float) -> None:
        if len(self._waiting) >= MAX_WAITING:
            self._give_up(*next(iter(self._waiting.items())))
        self._waiting[rendering.nonce] = _Waiting(rendering.contract, now_s)
        self._claim(rendering.contract)

    def _give_up(self, nonce: str, waiting: _Waiting) -> None:
        del self._waiting[nonce]
        self._refuse(waiting.contract, "not_rendered")

    def _use(self, nonce: str, visitor: Visitor, now_s: float) -> None:
        if nonce not in self._used:
            rules = self._rules
            self._used[nonce] = (visitor.id, now_s + max(rules.view_life_s, rules.click_life_s))

    def _claim(self, contract: str | None) -> None:
        self.counts[GROSS] += 1
        self._note(contract, GROSS)

    def _refuse(self, contract: str | None, reason: Refused) -> Refused:
        self.counts[f"filtered_{reason}"] += 1
        self._note(contract, reason)
        return reason

    def _refuse_click(self, reason: Refused) -> Refused:
        self.counts[f"clicks_{reason}"] += 1
        return reason

    def _note(self, contract: str | None, what: str) -> None:
        if contract is not None and (account := self._log.accounts().get(contract)) is not None:
            account.noted[what] += 1


def _milliseconds(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)
