"""How a measurement is printed, and the bars that it is held against. A bar is a goal: nothing fails because of one."""

import statistics

missed = []  # the bars that were not reached in this run


def heading(text):
    print(f"\n{text}\n", flush=True)


def bar(what, value, limit, unit="", least=False):
    """One line that says whether value is at most limit; or at least."""
    good = value >= limit if least else value <= limit
    if not good:
        missed.append(what)
    edge = "least" if least else "most"
    print(f"  {'PASS' if good else 'MISSED':6}  {what}: {value:.3g}{unit}, bar at {edge} {limit:g}{unit}", flush=True)


def note(text):
    print(f"  {text}", flush=True)


def ratios(rounds, others):
    """Of two lists of rounds that took turns: neighbours are compared with each other."""
    return [mine / theirs for mine, theirs in zip(rounds, others)]


def spread(values, digits=1):
    """The median and the quarter to either side of it, which a busy machine disturbs least."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def table(columns, rows):
    """rows: lists of texts, the first of each is its name."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  " + "  ".join(cells).rstrip(), flush=True)


def summary():
    print("\nAll bars passed." if not missed else f"\nBars missed: {'; '.join(missed)}.", flush=True)
