"""Results as a table."""

MIB = 1 << 20
WIDTH = 15
KEPT = 0.97  # of an offered rate: below it messages wait for their turn outside the pipeline


def number(value):
    """1234567 as 1.23 M."""
    if value is None:
        return "-"
    for limit, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:.3g}"


def time(ns):
    """Nanoseconds as people read them."""
    if ns is None:
        return "-"
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= limit:
            return f"{ns / limit:.3g}{unit}"
    return f"{ns:.0f}ns"


def bound(value):
    return f"{value:.3g}"


def interval(figure):
    """The median with its 95 % interval; least and greatest in parentheses where there are too few values for one."""
    ends = f"{bound(figure['low'])} {bound(figure['high'])}"
    return f"{bound(figure['median'])} {f'[{ends}]' if figure.get('coverage', 1) >= 0.95 else f'({ends})'}"


def met(figure):
    if "bar" not in figure:
        return ""
    return f"{figure['bar']} {'pass' if figure['holds'] else 'miss'}"


HEAD = (f"{'workload':{WIDTH}} {'ours':>8} {'baseline':>8} {'median [95 %]':>22} {'bar':>13} {'CPU ns':>7} {'MiB':>6} "
        f"{'p50':>7} {'p90':>7} {'p99':>7} {'p99.9':>7} {'p99.99':>7}  notes")


def notes_of(result):
    """What a reader must know beside the figures."""
    said = result["result"]
    notes = list(result["notes"])
    places = said["places"]
    if places and list(places) not in (["near"], ["one"]):
        first = next(iter(said["figures"].values()), {}).get("by_place", {})
        notes.append("cores " + ", ".join(f"{cnt} x {place}" + (f" ({bound(first[place])})" if first else "")
                                          for place, cnt in places.items()))
    if result["unit"].endswith("offered") and (said["value"] or 0) < KEPT * (said.get("offered") or 0):
        notes.append("the rate was not kept: latencies from the intended times would be far longer")
    if (said["noise"] or 0) > 0.05:
        notes.append(f"busy machine: {said['noise'] * 100:.0f} % went to others")
    return notes


def rows(result):
    """The lines of one workload: one for each of its figures."""
    said = result["result"]
    latency = said["latency_ns"]
    times = " ".join(f"{time(latency.get(name)):>7}" for name in ("p50", "p90", "p99", "p999", "p9999"))
    rss = f"{said['rss_bytes'] / MIB:.0f}" if said["rss_bytes"] else "-"
    cpu = f"{said['cpu_ns']:.1f}" if said["cpu_ns"] and said["cpu_ns"] < 1e6 else "-"
    figures = list(said["figures"].items())
    name, first = figures[0] if figures else (None, None)
    units = [] if result["unit"] == "messages/s" or result["unit"] == name else [result["unit"]]
    notes = "; ".join(units + ([name] if name and name != "ratio" else []) + notes_of(result))
    yield (f"{result['workload']:{WIDTH}} {number(said['value']):>8} {number(said['baseline']):>8} "
           f"{interval(first) if first else '-':>22} {met(first) if first else '':>13} {cpu:>7} {rss:>6} "
           f"{times}  {notes}").rstrip()
    for name, figure in figures[1:]:
        yield f"{'':{WIDTH}} {'':8} {'':8} {interval(figure):>22} {met(figure):>13}  {name}"
