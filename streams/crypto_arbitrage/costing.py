"""What a fill means for the books: what moved, what it cost, and what was earned or lost by it.

Coins on the way are carried at what they have cost in the home asset. Only what is sold for the home asset
earns or loses; what stays is neither, whatever its price does. In the books, `equity:trading:…` is the other
side of what was exchanged: it holds the coins on the way, and what they have cost.

    bought 0.01 BTC for 600 USDT, 0.00001 BTC of it the fee     sold 0.00999 BTC for 605 USDT, 1.50 the fee
      asset:venue:a   USDT −600     asset:venue:a   BTC +0.00999   asset:venue:b   BTC  −0.00999
      equity:trading  USDT +599.40  equity:trading  BTC −0.00999   equity:trading  BTC  +0.00999
      cost:fee        USDT +0.60                                   asset:venue:b   USDT +603.50
                                                                   cost:fee        USDT +1.50
                                                                   equity:trading  USDT −599.40
                                                                   income          USDT −5.60

Whatever a venue counts finer than the ledger is rounded against us, less than one unit a posting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from streams.booking import Posting
from streams.crypto_arbitrage.amounts import AMOUNT_SCALE, ceil_div
from streams.crypto_arbitrage.order import Order, OrderReport
from streams.money import asset_of

_PER_LEDGER_UNIT: Final[tuple[int, ...]] = tuple(10**places for places in range(AMOUNT_SCALE + 1))


class Holding(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Coins that are on the way.

    Attributes:
        units: How many; ten to the minus eighth.
        basis: What they have cost; units of the home asset as the ledger counts them.
    """

    units: int = 0
    basis: int = 0


Holdings: TypeAlias = dict[str, Holding]
"""Holdings by asset, for one home asset."""


class Accounts(msgspec.Struct, frozen=True):
    """The accounts of one instance.

    Attributes:
        stream: The stream.
        instance: The instance.
    """

    stream: str
    instance: str

    def venue(self, venue: str) -> str:
        """Return the account of what lies on a venue."""
        return f"asset:venue:{venue}:{self.stream}:{self.instance}"

    @property
    def trading(self) -> str:
        """The other side of what was exchanged."""
        return f"equity:trading:{self.stream}:{self.instance}"

    @property
    def fee(self) -> str:
        """What venues took."""
        return f"cost:fee:{self.stream}:{self.instance}"

    @property
    def income(self) -> str:
        """What trips made; a loss is negative income."""
        return f"income:{self.stream}:{self.instance}"


class Costed(msgspec.Struct, frozen=True):
    """A fill in the terms of the books.

    Attributes:
        postings: They sum to zero per asset.
        holdings: What is on the way after it.
        income: What was earned or, negative, lost before fees; ledger units of the home asset.
        fees: What fees cost in the home asset; ledger units.
    """

    postings: tuple[Posting, ...]
    holdings: Holdings
    income: int
    fees: int


def ledger_units(units: int, asset: str) -> int:
    """Return an amount as the ledger counts it, rounded against us: down, whatever its sign.

    Raises:
        UnknownAssetError: The ledger does not know the asset.
    """
    return units // _PER_LEDGER_UNIT[AMOUNT_SCALE - asset_of(asset).scale]


def ledger_cost(units: int, asset: str) -> int:
    """Return a cost as the ledger counts it, rounded up. Raises `UnknownAssetError`."""
    return -ledger_units(-units, asset)


def cost_fill(
    accounts: Accounts, home: str, holdings: Mapping[str, Holding], order: Order, report: OrderReport
) -> Costed:
    """Put a fill into the terms of the books.

    Args:
        accounts: Where it is booked.
        home: The asset that trips begin and end with.
        holdings: What was on the way before.
        order: What was sent.
        report: What came of it; something was filled.

    Raises:
        UnknownAssetError: The ledger does not know one of the assets.
    """
    market = order.market
    spends, brings = market.spends(order.side), market.brings(order.side)
    gross = {market.base: report.filled, market.quote: report.cost}
    book = _Lines(accounts, market.venue)
    after = dict(holdings)

    # What is given away leaves at what it has cost; the home asset is what costs are counted in.
    fee_spent = report.fee_in(spends)
    if spends == home:
        basis, fees = ledger_cost(gross[spends], home), ledger_cost(fee_spent, home)
        book.moved(home, -basis - fees)
    else:
        consumed = _consume(after, spends, gross[spends] + fee_spent)
        fees = ceil_div(consumed * fee_spent, gross[spends] + fee_spent) if fee_spent else 0
        basis = consumed - fees
        book.exchanged(spends, -(gross[spends] + fee_spent))
        book.carried(home, -consumed)

    # What is brought in arrives at that; what the venue kept of it was a cost.
    fee_brought = report.fee_in(brings)
    if brings == home:
        proceeds, fee = ledger_units(gross[home], home), ledger_cost(fee_brought, home)
        book.moved(home, proceeds - fee)
        income = proceeds - basis
        fees += fee
    else:
        fee = ceil_div(basis * fee_brought, gross[brings]) if fee_brought else 0
        held = after.get(brings, Holding())
        after[brings] = Holding(held.units + gross[brings] - fee_brought, held.basis + basis - fee)
        book.exchanged(brings, gross[brings] - fee_brought)
        book.carried(home, basis - fee)
        income = 0
        fees += fee

    book.add(accounts.fee, home, fees)
    book.add(accounts.income, home, -income)
    for fee_taken in report.fees:
        if fee_taken.asset not in (spends, brings):
            units = ledger_cost(fee_taken.units, fee_taken.asset)
            book.moved(fee_taken.asset, -units)
            book.add(accounts.fee, fee_taken.asset, units)
    return Costed(book.postings(), {asset: held for asset, held in after.items() if held != Holding()}, income, fees)


def _consume(holdings: Holdings, asset: str, units: int) -> int:
    """Take coins out of a holding, and return what they have cost.

    More than is held means that the venue filled more than it was asked for. What those coins cost is not known,
    so they are taken at the average of what is held, and the holding is short until a person looks at it.
    """
    held = holdings.get(asset, Holding())
    basis = held.basis if units == held.units else ceil_div(held.basis * units, held.units) if held.units else 0
    holdings[asset] = Holding(held.units - units, held.basis - basis)
    return basis


class _Lines:
    """Collects postings, one a line and asset."""

    def __init__(self, accounts: Accounts, venue: str) -> None:
        self._accounts = accounts
        self._venue = accounts.venue(venue)
        self._units: dict[tuple[str, str], int] = {}

    def add(self, account: str, asset: str, units: int) -> None:
        self._units[account, asset] = self._units.get((account, asset), 0) + units

    def moved(self, asset: str, units: int) -> None:
        """Something came to the venue, or left it; ledger units."""
        self.add(self._venue, asset, units)

    def carried(self, home: str, units: int) -> None:
        """What the coins on the way have cost changed; ledger units."""
        self.add(self._accounts.trading, home, units)

    def exchanged(self, asset: str, units: int) -> None:
        """Coins that are no home came or went, and are on the way, or no longer."""
        counted = ledger_units(units, asset)
        self.moved(asset, counted)
        self.carried(asset, -counted)

    def postings(self) -> tuple[Posting, ...]:
        return tuple(Posting(account, asset, units) for (account, asset), units in self._units.items() if units)
