"""What a venue's makers offer: a ladder of prices on each side that follows the market late, noisily and thinly.

Now and then the makers of one pair on one venue lose their way for a moment: a dislocation. Everything is drawn
by seed and step, so the same moment of the same world always looks the same, however it is come to.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import msgspec

from streams.money import asset_of
from streams.sandbox.venues.listings import BINANCE, KRAKEN, Listing, VenueTerms
from streams.sandbox.venues.market.dice import MILLION, Dice
from streams.sandbox.venues.market.fair_prices import STEP_MS, USD_SCALE, FairPrices

Side: TypeAlias = Literal["buy", "sell"]
SIDES: Final[tuple[Side, Side]] = ("buy", "sell")

RUNGS: Final = 20
"""Prices on each side of a ladder."""

_VENUES: Final = (BINANCE, KRAKEN)
_KEPT_LADDERS: Final = 256


class Character(msgspec.Struct, frozen=True):
    """How a venue's makers behave.

    Attributes:
        lag_steps: How much later than the market they are at most.
        noise_ppm: How far off they are, a standard deviation.
        half_spread_ppm: How far from the middle their first price is.
        gap_ppm: How far apart their prices are at most.
        rung_usd: What they offer at the first price on average, dollars.
        refresh_steps: How long what was taken stays away at least.
    """

    lag_steps: int
    noise_ppm: int
    half_spread_ppm: int
    gap_ppm: int
    rung_usd: int
    refresh_steps: int


CHARACTERS: Final = {
    "binance": Character(1, 60, 60, 240, 300, 8),
    "kraken": Character(3, 110, 140, 400, 220, 12),
}


class Dislocation(msgspec.Struct, frozen=True):
    """A while in which a venue's makers of one pair are far off.

    Attributes:
        number: Which it is, counted from the world's beginning.
        venue: Where.
        symbol: Which pair.
        first_step: When it begins.
        end_step: When it is over.
        shift_ppm: How far off they are, and in which direction.
    """

    number: int
    venue: str
    symbol: str
    first_step: int
    end_step: int
    shift_ppm: int


USUAL_SLOT_STEPS: Final = 22
"""In each slot of so many steps there is one dislocation, or, now and then, none."""

_USUAL_VISITS_PER_MINUTE: Final = 15.0
_GREATEST_SLOT_STEPS: Final = 240
_DISLOCATION_CHANCE_PPM: Final = 950_000
_SHORTEST_STEPS: Final = 2
_LONGEST_STEPS: Final = 8
_LEAST_SHIFT_PPM: Final = 3_500
_GREATEST_SHIFT_PPM: Final = 7_500
_DISLOCATED_SIZE_PERCENT: Final = 50


class Rung(msgspec.Struct, frozen=True):
    """What is offered at one price.

    Attributes:
        ticks: The price.
        lots: How much, before anyone takes of it.
        index: Its place on the ladder, 0 for the best.
    """

    ticks: int
    lots: int
    index: int


class Ladder(msgspec.Struct, frozen=True):
    """One side of what makers offer.

    Attributes:
        rungs: Best price first.
        epoch: Changes when what was taken is offered anew.
    """

    rungs: tuple[Rung, ...]
    epoch: int


class Ladders(msgspec.Struct, frozen=True):
    """What makers offer at one moment.

    Attributes:
        bids: What they buy for.
        asks: What they sell for.
    """

    bids: Ladder
    asks: Ladder

    def offered_to(self, side: Side) -> Ladder:
        """Return what an order of a side can take."""
        return self.asks if side == "buy" else self.bids


def slot_steps_of(visits_per_minute: float) -> int:
    """Return how long a slot is in a world that is as lively as its other visitors are."""
    # The market moves also where nobody else is on the move.
    steps = round(USUAL_SLOT_STEPS * _USUAL_VISITS_PER_MINUTE / (visits_per_minute or _USUAL_VISITS_PER_MINUTE))
    return min(max(steps, _LONGEST_STEPS), _GREATEST_SLOT_STEPS)


def step_at(elapsed_ms: int) -> int:
    """Return the step that a moment, counted from the world's beginning, is in."""
    return max(elapsed_ms, 0) // STEP_MS


class Feed:
    """What one venue's makers offer.

    Args:
        seed: The world's.
        terms: The venue's.
        prices: The market that they follow, of the same seed.
        slot_steps: How often makers lose their way; the same for all venues of a world.
    """

    def __init__(self, seed: int, terms: VenueTerms, prices: FairPrices, slot_steps: int = USUAL_SLOT_STEPS) -> None:
        self._terms = terms
        self._prices = prices
        self._character = CHARACTERS[terms.name]
        self._dice = Dice(f"{seed}/{terms.name}")
        self._dislocated = Dislocations(seed, slot_steps)
        self._ladders: OrderedDict[tuple[str, int], Ladders] = OrderedDict()

    def middle_ppm_ticks(self, symbol: str, step: int) -> int:
        """Return the price that a pair's makers believe in, in millionths of a tick."""
        listing = self._terms.listings[symbol]
        worths = self._prices.at(step - self._lag_steps(symbol))
        shift_ppm = self._noise_ppm(symbol, step)
        dislocation = self._dislocated.at(step)
        if dislocation is not None and (dislocation.venue, dislocation.symbol) == (self._terms.name, symbol):
            shift_ppm += dislocation.shift_ppm
        ticks_ppm = worths[listing.base] * 10**listing.price_decimals * MILLION // worths[listing.quote]
        return int(ticks_ppm * (MILLION + shift_ppm) // MILLION)

    def ladders(self, symbol: str, step: int) -> Ladders:
        """Return what is offered for a pair in a step, before anyone takes of it."""
        key = (symbol, step)
        ladders = self._ladders.get(key)
        if ladders is None:
            ladders = self._ladders[key] = self._draw(self._terms.listings[symbol], step)
            if len(self._ladders) > _KEPT_LADDERS:
                self._ladders.popitem(last=False)
        return ladders

    def _draw(self, listing: Listing, step: int) -> Ladders:
        middle = self.middle_ppm_ticks(listing.symbol, step)
        half = middle * self._character.half_spread_ppm // MILLION
        best_bid = max((middle - half) // MILLION, RUNGS + 1)
        best_ask = max(-(-(middle + half) // MILLION), best_bid + 1)
        return Ladders(
            self._ladder(listing, step, "bid", best_bid, -1),
            self._ladder(listing, step, "ask", best_ask, 1),
        )

    def _ladder(self, listing: Listing, step: int, name: str, best: int, direction: int) -> Ladder:
        character = self._character
        dislocation = self._dislocated.at(step)
        off = dislocation is not None and (dislocation.venue, dislocation.symbol) == (self._terms.name, listing.symbol)
        if off and dislocation is not None:
            epoch, percent = -dislocation.number - 1, _DISLOCATED_SIZE_PERCENT
        else:
            phase = self._dice.below(character.refresh_steps, f"{listing.symbol}/{name}/phase")
            epoch, percent = (step + phase) // character.refresh_steps, 100
        drawn = self._dice.digest(f"{listing.symbol}/{name}/{epoch}")
        # By what a lot is worth on average, so that a size does not flicker with the price.
        lots_per_rung = _lots_of_usd(listing, character.rung_usd * percent // 100)
        greatest_gap = max(best * character.gap_ppm // MILLION, 1)
        rungs = []
        ticks = best
        for index in range(RUNGS):
            size, gap = drawn[2 * index], drawn[2 * index + 1]
            # From a quarter of the average to seven quarters, and more the deeper it is.
            lots = lots_per_rung * (64 + size * 3 // 2) * (8 + index) // (8 * 256)
            rungs.append(Rung(ticks, max(lots, listing.min_lots), index))
            ticks = max(ticks + direction * (1 + greatest_gap * gap // 256), 1)
        return Ladder(tuple(rungs), epoch)

    @lru_cache(maxsize=64)  # noqa: B019 - a feed lives as long as its venue
    def _lag_steps(self, symbol: str) -> int:
        return self._dice.between(1, self._character.lag_steps, f"{symbol}/lag")

    def _noise_ppm(self, symbol: str, step: int) -> int:
        cell, offset = divmod(step, 4)
        left, right = (self._dice.bell(f"{symbol}/noise/{each}") for each in (cell, cell + 1))
        return (left * (4 - offset) + right * offset) * self._character.noise_ppm // (4 * MILLION)


class Dislocations:
    """When and where makers lose their way: about once a slot, anywhere.

    Args:
        seed: The world's.
        slot_steps: How long a slot is.
    """

    def __init__(self, seed: int, slot_steps: int = USUAL_SLOT_STEPS) -> None:
        self._dice = Dice(f"{seed}/dislocations")
        self._slot_steps = slot_steps
        self._slot: tuple[int, Dislocation | None] = (-1, None)

    def at(self, step: int) -> Dislocation | None:
        """Return the one that a step is in; None where there is none."""
        number = step // self._slot_steps
        if self._slot[0] != number:
            self._slot = (number, self._draw(number))
        found = self._slot[1]
        return found if found is not None and found.first_step <= step < found.end_step else None

    def _draw(self, number: int) -> Dislocation | None:
        dice = self._dice
        if not dice.chance(_DISLOCATION_CHANCE_PPM, f"{number}/happens"):
            return None
        places = [(venue.name, symbol) for venue in _VENUES for symbol in venue.listings]
        venue, symbol = places[dice.below(len(places), f"{number}/place")]
        length = dice.between(_SHORTEST_STEPS, _LONGEST_STEPS, f"{number}/length")
        first = number * self._slot_steps + dice.below(self._slot_steps - length + 1, f"{number}/first")
        shift = dice.between(_LEAST_SHIFT_PPM, _GREATEST_SHIFT_PPM, f"{number}/shift")
        upwards = dice.below(2, f"{number}/direction")
        return Dislocation(number, venue, symbol, first, first + length, shift if upwards else -shift)


@lru_cache(maxsize=256)
def _lots_of_usd(listing: Listing, usd: int) -> int:
    worth = FairPrices.base_of(listing.base)
    return max(int(usd * 10**USD_SCALE * 10**listing.lot_decimals // worth), 1)


def units_of_usd(asset: str, usd: int) -> int:
    """Return how many units of an asset are worth that many dollars on average."""
    return int(usd * 10**USD_SCALE * 10 ** asset_of(asset).scale // FairPrices.base_of(asset))
