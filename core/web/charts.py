"""Lines for charts and sparklines: paths for an SVG whose labels are HTML, since no style may be written in a page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils import formats

from core.web.dates import SHORT_DAY, SHORT_WEEKDAY

_WIDTH, _HEIGHT = 600, 200
_SPARK_WIDTH, _SPARK_HEIGHT = 80, 32
_MOST_LABELS = 5
_EACH_LABELLED = 7  # as many days have each its label


@dataclass(frozen=True, slots=True)
class Spark:
    """A sparkline: the line, and the ground under it."""

    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a chart, as the tooltip and the table say it."""

    on: date
    value: int
    before: int | None
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Two periods day by day: this one, and, dashed, the one before it."""

    days: tuple[Day, ...]
    now: str
    area: str
    past: str
    grid: str
    ticks: tuple[int, ...]  # from the top down, as the axis shows them
    labels: tuple[str, ...]
    total: int
    total_before: int
    unit: str


def draw_spark(values: Sequence[float]) -> Spark | None:
    """Draw the values from the lowest to the highest; None for fewer than two."""
    if len(values) < 2:
        return None
    low, high = min(values), max(values)
    spread = (high - low) or 1
    step = _SPARK_WIDTH / (len(values) - 1)
    points = [
        (index * step, _SPARK_HEIGHT - (value - low) / spread * (_SPARK_HEIGHT - 4) - 2)
        for index, value in enumerate(values)
    ]
    line = _path(points)
    return Spark(line=line, area=f"{line}V{_SPARK_HEIGHT}H0Z")


def draw_days(
    values: Sequence[tuple[date, int]],
    before: Sequence[int] | None = None,
    *,
    unit: str = "",
) -> LineChart:
    """Draw one value for each day, and the same number of values of the period before.

    `unit` is the translated word behind a value in tooltips and table, "sign-ins" for instance.
    """
    earlier: list[int | None] = list(before) if before is not None else [None] * len(values)
    known = [value for value in earlier if value is not None]
    top, ticks = _scale(max([value for _, value in values] + known, default=0))
    column = _WIDTH / max(len(values), 1)

    def place(index: int, value: float) -> tuple[float, float]:
        return (index + 0.5) * column, _HEIGHT - value / top * _HEIGHT

    now = _path([place(index, value) for index, (_, value) in enumerate(values)])
    past = _path([place(index, value) for index, value in enumerate(earlier) if value is not None])
    rows = len(ticks) - 1
    return LineChart(
        days=tuple(
            Day(on=on, value=value, before=old, label=formats.date_format(on, str(SHORT_WEEKDAY)))
            for (on, value), old in zip(values, earlier, strict=True)
        ),
        now=now,
        area=f"{now}V{_HEIGHT}H{_short(column / 2)}Z" if values else "",
        past=past,
        grid="".join(f"M0 {_short(_HEIGHT * row / rows)}H{_WIDTH}" for row in range(rows)),
        ticks=ticks,
        labels=_spread_labels([on for on, _ in values]),
        total=sum(value for _, value in values),
        total_before=sum(known),
        unit=unit,
    )


def _scale(highest: int) -> tuple[int, tuple[int, ...]]:
    """A round top for the axis, and its ticks from the top down."""
    rough = max(highest, 1) / 4
    magnitude = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(
        int(nice * magnitude) for nice in (1, 2, 2.5, 5, 10) if nice * magnitude >= rough and nice * magnitude % 1 == 0
    )
    rows = max(1, math.ceil(max(highest, 1) / step))
    return rows * step, tuple(row * step for row in range(rows, -1, -1))


def _spread_labels(days: Sequence[date]) -> tuple[str, ...]:
    if len(days) <= _EACH_LABELLED:
        return tuple(formats.date_format(on, str(SHORT_DAY)) for on in days)
    picks = [round(index * (len(days) - 1) / (_MOST_LABELS - 1)) for index in range(_MOST_LABELS)]
    return tuple(formats.date_format(days[index], str(SHORT_DAY)) for index in picks)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if index else 'M'}{_short(x)} {_short(y)}" for index, (x, y) in enumerate(points))


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
