"""Prices of European and Asian call options for many strikes and volatilities, by a load-balanced map.

Shows LoadBalancedView.map with several sequences: tasks of different length go to whichever engine is free.
"""

import math

import linden


def price(strike: float, volatility: float, paths: int, spot: float = 100.0, rate: float = 0.05) -> tuple[float, float]:
    """A European and an Asian call that end in a year, by Monte Carlo; the wilder the market, the more paths are taken."""
    import numpy as np

    rng = np.random.default_rng(int(1000 * volatility + strike))
    steps = 50
    paths = int(paths * (1 + 4 * volatility))
    growth = (rate - volatility**2 / 2) / steps + volatility * rng.standard_normal((paths, steps)) / math.sqrt(steps)
    prices = spot * np.exp(np.cumsum(growth, axis=1))
    discount = math.exp(-rate)
    european = discount * np.maximum(prices[:, -1] - strike, 0).mean()
    asian = discount * np.maximum(prices.mean(axis=1) - strike, 0).mean()
    return float(european), float(asian)


def black_scholes(strike: float, volatility: float, spot: float = 100.0, rate: float = 0.05) -> float:
    """The European call's price exactly, to compare with."""
    d1 = (math.log(spot / strike) + rate + volatility**2 / 2) / volatility
    normal = lambda x: (1 + math.erf(x / math.sqrt(2))) / 2  # noqa: E731
    return spot * normal(d1) - strike * math.exp(-rate) * normal(d1 - volatility)


def main(engines: int = 2, paths: int = 10_000) -> float:
    strikes, volatilities = [90.0, 100.0, 110.0], [0.1, 0.2, 0.3, 0.4]
    grid = [(strike, volatility) for strike in strikes for volatility in volatilities]
    with linden.start(engines) as rc:
        view = rc.load_balanced_view()
        found = view.map(price, *zip(*grid, strict=True), [paths] * len(grid))
        worst = 0.0
        print("strike  volatility  european   exact    asian")
        for (strike, volatility), (european, asian) in zip(grid, found, strict=True):  # in order, as they arrive
            exact = black_scholes(strike, volatility)
            worst = max(worst, abs(european - exact) / exact)
            print(f"{strike:6.0f} {volatility:11.1f} {european:9.2f} {exact:7.2f} {asian:8.2f}")
    print(f"largest relative difference: {worst:.3f}")
    return worst


if __name__ == "__main__":
    main()
