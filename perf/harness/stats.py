"""Medians, and how far they can be trusted."""

import math


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def median_interval(values, confidence=0.95):
    """(low, high, coverage) of the median: the narrowest symmetric pair of order statistics whose coverage is at
    least `confidence`, whatever the distribution is; least and greatest value where there are too few (below 6 for
    95 %), with the coverage that they have. The median lies below the k-th of n values as often as n coins show
    fewer than k heads."""
    ordered = sorted(values)
    n = len(ordered)
    low, below = 1, 0.5 ** n
    coverage = 1 - 2 * below
    for k in range(2, n // 2 + 1):
        below += math.comb(n, k - 1) * 0.5 ** n
        if 1 - 2 * below < confidence:
            break
        low, coverage = k, 1 - 2 * below
    return ordered[low - 1], ordered[n - low], max(coverage, 0.0)


def verdict(ratios, least=0.01):
    """What the ratios new/old of rates of interleaved runs say: faster, slower or same. A difference counts if it is
    over `least` and 1 lies outside the interval of the median."""
    low, high, coverage = median_interval(ratios)
    if coverage < 0.95:
        return "too few runs"
    if low > 1 and median(ratios) > 1 + least:
        return "faster"
    if high < 1 and median(ratios) < 1 - least:
        return "slower"
    return "same"
