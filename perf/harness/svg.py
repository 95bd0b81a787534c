"""Small plots as SVG: lines over a linear or logarithmic axis, and bars. Readable on light and on dark ground."""

import math
from xml.sax.saxutils import escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 760, 70, 24, 84, 52

# Colours that are told apart by those who see fewer of them, too; darker on light ground, lighter on dark.
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #24292f; }
  .title { font-size: 16px; font-weight: 600; }
  .small { font-size: 12px; fill: #57606a; }
  .ground { fill: #ffffff; }
  .grid { stroke: #d8dee4; stroke-width: 1; }
  .axis { stroke: #57606a; stroke-width: 1; }
  .bar-limit { stroke: #24292f; stroke-width: 2; }
  .whisker { stroke: #24292f; stroke-width: 1.5; opacity: 0.7; }
  .line { fill: none; stroke-width: 2.5; stroke-linejoin: round; }
  .s0 { stroke: #0969da; } .f0 { fill: #0969da; }
  .s1 { stroke: #bc4c00; } .f1 { fill: #bc4c00; }
  .s2 { stroke: #1a7f37; } .f2 { fill: #1a7f37; }
  .s3 { stroke: #8250df; } .f3 { fill: #8250df; }
  .s4 { stroke: #9a6700; } .f4 { fill: #9a6700; }
  .s5 { stroke: #bf3989; } .f5 { fill: #bf3989; }
  .s6 { stroke: #57606a; stroke-dasharray: 6 4; } .f6 { fill: #57606a; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .small { fill: #9da7b3; }
    .ground { fill: #0d1117; }
    .grid { stroke: #30363d; }
    .axis { stroke: #9da7b3; }
    .bar-limit, .whisker { stroke: #e6edf3; }
    .s0 { stroke: #58a6ff; } .f0 { fill: #58a6ff; }
    .s1 { stroke: #f0883e; } .f1 { fill: #f0883e; }
    .s2 { stroke: #3fb950; } .f2 { fill: #3fb950; }
    .s3 { stroke: #bc8cff; } .f3 { fill: #bc8cff; }
    .s4 { stroke: #d29922; } .f4 { fill: #d29922; }
    .s5 { stroke: #f778ba; } .f5 { fill: #f778ba; }
    .s6 { stroke: #9da7b3; } .f6 { fill: #9da7b3; }
  }
"""
HAND = 6  # the colour of what is compared with: grey, dashed


def short(value):
    """1500000 as 1.5M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{unit}"
    return f"{value:g}"


def short_ns(ns):
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "us")):
        if ns >= limit:
            return f"{ns / limit:g} {unit}"
    return f"{ns:g} ns"


def short_bytes(value):
    return f"{value / 1024:g} KiB" if value >= 1024 else f"{value:g} B"


class Axis:
    """Places values between two ends; ticks at round ones."""

    def __init__(self, values, begin, end, log=False, from_zero=True):
        self.log, self.begin, self.end = log, begin, end
        low, high = min(values), max(values)
        if log:
            self.low = math.floor(math.log10(low) + 1e-9)
            self.high = max(math.ceil(math.log10(high) - 1e-9), self.low + 1)
        else:
            self.low = 0 if from_zero and low >= 0 else low
            self.step = nice_step((high - self.low) or 1)
            self.low = math.floor(self.low / self.step) * self.step
            self.high = math.ceil(high / self.step - 1e-9) * self.step or self.step

    def fit(self, values):
        """From the least to the greatest of the values, with a margin, instead of from tick to tick."""
        ends = [math.log10(value) if self.log else value for value in (min(values), max(values))]
        margin = 0.04 * ((ends[1] - ends[0]) or 1)
        self.low, self.high = ends[0] - margin, ends[1] + margin

    def at(self, value):
        place = math.log10(value) if self.log else value
        return self.begin + (place - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self):
        if self.log:
            return [10.0 ** exponent for exponent in range(self.low, self.high + 1)]
        cnt = round((self.high - self.low) / self.step)
        return [self.low + i * self.step for i in range(cnt + 1)]


def nice_step(span):
    """A step of 1, 2 or 5 times a power of ten: some five of them make the span."""
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)


class Canvas:
    """The parts of a picture."""

    def __init__(self, title, height, subtitle=""):
        self.height, self.title = height, title
        self.parts = []
        self.text(16, 28, title, "title")
        if subtitle:
            self.text(16, 48, subtitle, "small")

    def text(self, x, y, text, style="", anchor="start"):
        style = f' class="{style}"' if style else ""
        anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{style}{anchor}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, style):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>')

    def bar(self, x, y, width, height, colour, tip=""):
        tip = f"<title>{escape(tip)}</title>" if tip else ""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" '
                          f'rx="2" class="f{colour}">{tip}</rect>')

    def path(self, points, colour, tips):
        coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline points="{coordinates}" class="line s{colour}"/>')
        for (x, y), tip in zip(points, tips):
            self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="f{colour}">'
                              f'<title>{escape(tip)}</title></circle>')

    def legend(self, entries):
        """(label, colour) one behind the other, below the title."""
        x, y = 16.0, 70.0
        for label, colour in entries:
            self.bar(x, y - 9, 14, 10, colour)
            self.text(x + 20, y, label)
            x += 34 + 7.2 * len(label)

    def svg(self):
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" width="{WIDTH}" '
            f'height="{self.height}" role="img" aria-label="{escape(self.title, {chr(34): "&quot;"})}">',
            f"<style>{STYLE}</style>", f'<rect class="ground" width="{WIDTH}" height="{self.height}" rx="6"/>',
            *self.parts, "</svg>", ""])


def lines(title, subtitle, series, x_label, log_x=False, log_y=False, x_names=None, y_format=short, x_format=short):
    """A plot of lines. series: (label, colour, [(x, y)...]); x_names: names for x = 0, 1, ... instead of numbers."""
    height = 400
    canvas = Canvas(title, height, subtitle)
    xs = [x for _, _, points in series for x, _ in points]
    ys = [y for _, _, points in series for _, y in points]
    x_axis = Axis(xs, LEFT, WIDTH - RIGHT, log_x)
    if x_names:
        x_axis.log, x_axis.low, x_axis.high = False, -0.3, len(x_names) - 0.7
    else:
        x_axis.fit(xs)
    y_axis = Axis(ys, height - BOTTOM, TOP + 6, log_y)
    for tick in y_axis.ticks():
        canvas.line(LEFT, y_axis.at(tick), WIDTH - RIGHT, y_axis.at(tick), "grid")
        canvas.text(LEFT - 8, y_axis.at(tick) + 4, y_format(tick), "small", "end")
    names = list(enumerate(x_names)) if x_names else [(x, x_format(x)) for x in sorted(set(xs))]
    for x, name in names:
        canvas.line(x_axis.at(x), height - BOTTOM, x_axis.at(x), height - BOTTOM + 5, "axis")
        canvas.text(x_axis.at(x), height - BOTTOM + 20, name, "small", "middle")
    canvas.line(LEFT, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, "axis")
    canvas.text((LEFT + WIDTH - RIGHT) / 2, height - 12, x_label, "small", "middle")
    for label, colour, points in series:
        tips = [f"{label}: {x_names[x] if x_names else x_format(x)}: {y_format(float(f'{y:.3g}'))}"
                for x, y in points]
        canvas.path([(x_axis.at(x), y_axis.at(y)) for x, y in points], colour, tips)
    canvas.legend([(label, colour) for label, colour, _ in series])
    return canvas.svg()


def ratios(title, subtitle, rows):
    """Bars side by side with what they should reach. rows: (label, figure with median, low, high, limit or None)."""
    row_height, left, right = 26, 150, 80
    height = 70 + row_height * len(rows) + 44
    canvas = Canvas(title, height, subtitle)
    ends = [value for _, figure in rows for value in (figure["high"], figure["limit"] or 0, 0.1)]
    axis = Axis([0, *ends], left, WIDTH - right)
    bottom = 62 + row_height * len(rows)
    for tick in axis.ticks():
        canvas.line(axis.at(tick), 60, axis.at(tick), bottom, "grid")
        canvas.text(axis.at(tick), bottom + 18, short(round(tick, 6)), "small", "middle")
    for i, (label, figure) in enumerate(rows):
        y = 66 + row_height * i
        holds = figure["limit"] is None or figure["median"] >= figure["limit"]
        canvas.text(left - 10, y + 13, label, "", "end")
        canvas.bar(left, y, axis.at(figure["median"]) - left, 16, 0 if holds else 1,
                   f"{label}: {figure['median']:.3g} [{figure['low']:.3g} {figure['high']:.3g}]")
        canvas.line(axis.at(figure["low"]), y + 8, axis.at(figure["high"]), y + 8, "whisker")
        if figure["limit"] is not None:
            canvas.line(axis.at(figure["limit"]), y - 3, axis.at(figure["limit"]), y + 19, "bar-limit")
        end = max(axis.at(figure["median"]), axis.at(figure["high"]),
                  axis.at(figure["limit"]) if figure["limit"] is not None else 0)
        canvas.text(end + 8, y + 13, f"{figure['median']:.2f}")
    return canvas.svg()


def groups(title, subtitle, names, series, y_format=short):
    """Bars by group. names: of the groups; series: (label, colour, one value or None for each group)."""
    height = 380
    canvas = Canvas(title, height, subtitle)
    values = [value for _, _, row in series for value in row if value is not None]
    axis = Axis([0, *values], height - BOTTOM, TOP + 6)
    for tick in axis.ticks():
        canvas.line(LEFT, axis.at(tick), WIDTH - RIGHT, axis.at(tick), "grid")
        canvas.text(LEFT - 8, axis.at(tick) + 4, y_format(tick), "small", "end")
    pitch = (WIDTH - RIGHT - LEFT) / len(names)
    width = min(44, pitch * 0.8 / len(series))
    for g, name in enumerate(names):
        middle = LEFT + pitch * (g + 0.5)
        canvas.text(middle, height - BOTTOM + 20, name, "small", "middle")
        for s, (label, colour, row) in enumerate(series):
            if row[g] is None:
                continue
            x = middle + (s - len(series) / 2) * width
            canvas.bar(x + 2, axis.at(row[g]), width - 4, axis.begin - axis.at(row[g]), colour,
                       f"{name}, {label}: {y_format(float(f'{row[g]:.3g}'))}")
            canvas.text(x + width / 2, axis.at(row[g]) - 5, y_format(float(f"{row[g]:.2g}")), "small", "middle")
    canvas.line(LEFT, height - BOTTOM, WIDTH - RIGHT, height - BOTTOM, "axis")
    canvas.legend([(label, colour) for label, colour, _ in series])
    return canvas.svg()
