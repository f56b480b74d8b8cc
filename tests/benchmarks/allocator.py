"""Regret of the allocator over drifting, saturating, delayed arms, beside uniform, greedy, UCB and the oracle.

Every policy divides the same budget among the same arms of the same seeds: five pools of like arms whose ceilings
wander and sometimes jump, whose revenue saturates at a scale of each arm's own, is noisy, and comes late. The oracle
knows the curves. Regret is what a policy's division was expected to earn less than the oracle's, after a warm-up.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from time import perf_counter
from typing import Final, Protocol

from orchestrator.money.allocator import Bounds, Curve, divide
from orchestrator.money.yield_model import ModelSettings, Pool
from tests.benchmarks.figure import Figure

POOLS: Final = 5
ARMS_PER_POOL: Final = 10
PERIODS: Final = 240
WARM_UP: Final = 60
BUDGET: Final = 50.0
SEEDS: Final = 200
MULTIPLIERS: Final = (2.5, 1.8, 2.2, 3.0, 2.8)
LONGEST_DELAY: Final = 10

ARMS: Final = POOLS * ARMS_PER_POOL


class World:
    """The arms as they are; nobody but the oracle looks inside.

    Attributes:
        ceilings: Of all arms, by period.
    """

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        self.scales = [rng.lognormvariate(0.0, 0.35) for _ in range(ARMS)]
        self.ceilings: list[list[float]] = []
        now = [rng.lognormvariate(0, 0.8) * rng.lognormvariate(0.0, 0.7) for _ in range(ARMS)]
        pool_level = [rng.lognormvariate(0.0, 0.6) for _ in range(POOLS)]
        now = [value * pool_level[arm // ARMS_PER_POOL] for arm, value in enumerate(now)]
        for _ in range(PERIODS):
            now = [
                value * rng.lognormvariate(0.0, 0.03) * (math.exp(rng.gauss(0, 1.0)) if rng.random() < 0.002 else 1.0)
                for value in now
            ]
            self.ceilings.append(now)
        self.delays = [_delay(rng) for _ in range(POOLS)]
        # The same luck for every policy: one draw for each arm and period.
        self.luck = [[rng.gammavariate(4.0, 0.25) for _ in range(ARMS)] for _ in range(PERIODS)]

    def curves(self, period: int) -> list[Curve]:
        """Return the true curves."""
        return [Curve(ceiling, scale) for ceiling, scale in zip(self.ceilings[period], self.scales, strict=True)]

    def expected(self, period: int, division: Sequence[float]) -> float:
        """Return what a division is expected to earn."""
        return math.fsum(curve.revenue(x) for curve, x in zip(self.curves(period), division, strict=True))


def _delay(rng: random.Random) -> list[float]:
    """Return which share of a period's revenue comes how many periods later."""
    stays = rng.choice((0.0, 0.3, 0.6, 0.75))
    raw = [stays**age for age in range(LONGEST_DELAY)]
    return [each / sum(raw) for each in raw]


class Policy(Protocol):
    """Divides a budget, then sees what came."""

    def divide(self) -> list[float]: ...

    def observe(self, division: Sequence[float], came: Sequence[Sequence[float]]) -> None: ...


class Uniform:
    """The same for all."""

    def divide(self) -> list[float]:
        return [BUDGET / ARMS] * ARMS

    def observe(self, division: Sequence[float], came: Sequence[Sequence[float]]) -> None:
        """Learn nothing."""


class DiscountedUcb:
    """Discounted UCB (Garivier and Moulines) on revenue per unit; the budget goes to the best arms in equal parts."""

    def __init__(self, parts: int, width: float, memory: float = 0.96) -> None:
        self.parts, self.width, self.memory = parts, width, memory
        self.counts = [0.0] * ARMS
        self.sums = [0.0] * ARMS

    def divide(self) -> list[float]:
        total = sum(self.counts)
        spread = self.width * max(self.sums[arm] / self.counts[arm] if self.counts[arm] else 0.0 for arm in range(ARMS))

        def index(arm: int) -> float:
            count = self.counts[arm]
            if count < 1e-3:
                return math.inf
            return self.sums[arm] / count + spread * math.sqrt(math.log(max(total, 2.0)) / count)

        best = sorted(range(ARMS), key=index, reverse=True)[: self.parts]
        division = [0.0] * ARMS
        for arm in best:
            division[arm] = BUDGET / self.parts
        return division

    def observe(self, division: Sequence[float], came: Sequence[Sequence[float]]) -> None:
        for arm in range(ARMS):
            self.counts[arm] *= self.memory
            self.sums[arm] *= self.memory
            # What comes is taken for the arm's, whenever its cause was: this policy knows of no delay.
            self.sums[arm] += sum(came[arm]) * self.parts / BUDGET
            self.counts[arm] += division[arm] > 0


class Greedy(DiscountedUcb):
    """The same without the bonus: what paid best gets all there is."""

    def __init__(self) -> None:
        super().__init__(parts=10, width=0.0)


class Ours:
    """The model and the division of the profit maximizer."""

    def __init__(self, settings: ModelSettings | None = None, floor: float = 0.05, step: float = 0.5) -> None:
        settings = settings or ModelSettings()
        mean = sum(MULTIPLIERS) / POOLS
        self.pools = [Pool(settings, BUDGET / ARMS, weight / mean) for weight in MULTIPLIERS]
        self.optimism = settings.optimism
        self.usual = BUDGET / ARMS
        self.floor = floor * self.usual
        self.step = step
        self.last = [self.usual] * ARMS

    def divide(self) -> list[float]:
        curves: list[Curve] = []
        for number, pool in enumerate(self.pools):
            beliefs = pool.believe()
            for place in range(ARMS_PER_POOL):
                belief = beliefs.get(str(number * ARMS_PER_POOL + place))
                curves.append(pool.newcomer() if belief is None else belief.optimistic(self.optimism))
        bounds = [
            Bounds(max(self.floor, last - self.step * max(last, self.usual)), last + self.step * max(last, self.usual))
            for last in self.last
        ]
        self.last = divide(BUDGET, curves, bounds)
        return self.last

    def observe(self, division: Sequence[float], came: Sequence[Sequence[float]]) -> None:
        for number, pool in enumerate(self.pools):
            arms = range(number * ARMS_PER_POOL, (number + 1) * ARMS_PER_POOL)
            pool.observe({str(arm): (division[arm], came[arm]) for arm in arms})


def play(world: World, policy: Policy) -> float:
    """Return what a policy's divisions were expected to earn after the warm-up."""
    earned = 0.0
    history: deque[tuple[int, list[float]]] = deque(maxlen=LONGEST_DELAY)
    for period in range(PERIODS):
        division = policy.divide()
        assert sum(division) <= BUDGET * (1 + 1e-6)
        if period >= WARM_UP:
            earned += world.expected(period, division)
        revenue = [
            curve.revenue(x) * luck
            for curve, x, luck in zip(world.curves(period), division, world.luck[period], strict=True)
        ]
        history.appendleft((period, revenue))
        came = [
            [past[arm] * world.delays[arm // ARMS_PER_POOL][age] for age, (_, past) in enumerate(history)]
            for arm in range(ARMS)
        ]
        policy.observe(division, came)
    return earned


def oracle(world: World) -> float:
    """Return what the best divisions are expected to earn after the warm-up."""
    bounds = [Bounds(0.0, BUDGET)] * ARMS
    return math.fsum(
        world.expected(period, divide(BUDGET, world.curves(period), bounds)) for period in range(WARM_UP, PERIODS)
    )


POLICIES: Final[dict[str, Callable[[], Policy]]] = {
    "ours": Ours,
    "uniform": Uniform,
    "greedy": Greedy,
    "discounted UCB, 10 parts": lambda: DiscountedUcb(10, 0.3),
    "discounted UCB, 25 parts": lambda: DiscountedUcb(25, 0.3),
}


def judge(seed: int) -> dict[str, float]:
    """Return which share of the oracle's earnings each policy did not earn, for one seed."""
    world = World(seed)
    best = oracle(world)
    return {name: 1 - play(world, make()) / best for name, make in POLICIES.items()}


def decision_ms(arms: int) -> float:
    """Return how long it takes to judge and divide among so many arms whose past is full, best of five."""
    rng = random.Random(1)
    pool = Pool(ModelSettings(), 1.0, 1.0)
    for _ in range(16):
        pool.observe({str(arm): (rng.uniform(0.2, 2), [rng.random() for _ in range(10)]) for arm in range(arms)})
    bounds = [Bounds(0.05, 3.0)] * arms
    times = []
    for _ in range(5):
        began = perf_counter()
        divide(float(arms), [belief.optimistic(0.5) for belief in pool.believe().values()], bounds)
        times.append(perf_counter() - began)
    return min(times) * 1e3


def run() -> list[Figure]:
    """Play all seeds, on all cores."""
    with ProcessPoolExecutor() as workers:
        results = list(workers.map(judge, range(SEEDS), chunksize=4))
    regret = {name: math.fsum(each[name] for each in results) / SEEDS for name in POLICIES}
    ours = regret.pop("ours")
    wins = sum(each["ours"] < each["uniform"] for each in results) / SEEDS
    best_ucb = min((name for name in regret if "UCB" in name), key=regret.__getitem__)
    return [
        Figure(
            f"regret over {SEEDS} seeds, share of the oracle's earnings",
            ours,
            "",
            regret,
            f"≤ 0.6 × {best_ucb}; ≤ 0.15",
        ),
        Figure("seeds on which it beats uniform", wins, "", {}, "≥ 0.95"),
        Figure("judge and divide among 10,000 arms", decision_ms(10_000), "ms", {}, "< 150 ms"),
    ]
