from datetime import date, timedelta

import pytest

from core.web.charts import draw_days, draw_spark

MONDAY = date(2026, 11, 2)


def values(*counts: int) -> list[tuple[date, int]]:
    return [(MONDAY + timedelta(days=index), count) for index, count in enumerate(counts)]


def test_a_chart_draws_both_periods_and_adds_them_up() -> None:
    chart = draw_days(values(10, 20, 0), [5, 5, 5], unit="sign-ins")

    assert chart.now == "M100 100L300 0L500 200"
    assert chart.past == "M100 150L300 150L500 150"
    assert (chart.total, chart.total_before) == (30, 15)
    assert chart.days[1].before == 5


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, (1, 0)),
        (3, (3, 2, 1, 0)),
        (7, (8, 6, 4, 2, 0)),
        (20, (20, 15, 10, 5, 0)),
        (171, (200, 150, 100, 50, 0)),
    ],
)
def test_the_axis_has_round_ticks_that_hold_every_value(highest: int, ticks: tuple[int, ...]) -> None:
    chart = draw_days(values(highest, 0))

    assert chart.ticks == ticks


def test_the_axis_holds_any_count() -> None:
    for highest in range(2000):
        ticks = draw_days(values(highest)).ticks

        assert ticks[0] >= highest
        assert 2 <= len(ticks) <= 6
        assert ticks[-1] == 0


def test_a_long_period_shows_five_dates_from_first_to_last() -> None:
    labels = draw_days(values(*range(30))).labels

    assert labels[0] == "2 Nov"
    assert labels[-1] == "1 Dec"
    assert len(labels) == 5


def test_in_a_week_each_day_has_its_label() -> None:
    assert len(draw_days(values(*range(7))).labels) == 7


def test_without_days_there_is_nothing_to_draw() -> None:
    chart = draw_days([])

    assert (chart.now, chart.area, chart.past, chart.total) == ("", "", "", 0)


def test_a_sparkline_needs_two_values() -> None:
    assert draw_spark([7]) is None


def test_a_flat_sparkline_lies_on_the_ground() -> None:
    spark = draw_spark([4, 4])

    assert spark is not None
    assert spark.line == "M0 30L80 30"
    assert spark.area == "M0 30L80 30V32H0Z"
