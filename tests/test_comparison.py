"""Our numbers beside the papers': when they agree, when they differ, and when nobody can say."""

from __future__ import annotations

import pytest

from electroscreen.papers import Order, Value
from electroscreen.report.comparison import compare_order, compare_value
from electroscreen.report.records import Number


def lumo(paper_value=-1.34, tolerance=0.01, **more) -> Value:
    fields = {"table": "t", "quantity": "LUMO", "subject": "LiF", "value": paper_value, "unit": "eV", "where": "Fig. 1"}
    result = {"orbital": {"species": "LiF", "key": "lumo_ev"}}
    return Value(**fields | {"kind": "computed", "tolerance": tolerance, "result": result} | more)


def na_diffusion(paper_value=2.8, **more) -> Value:
    fields = {"table": "t", "quantity": "D", "subject": "FB LE", "value": paper_value, "unit": "Å²/ns", "where": "2k"}
    return Value(**fields | {"kind": "computed", "result": {"diffusion": {"box": "b", "species": "Na"}}} | more)


def verdict(value: Value, ours: Number) -> str:
    return compare_value("p", value, ours)["verdict"]


def test_difference_is_ours_minus_the_papers():
    assert compare_value("p", lumo(-1.34), Number(-1.30))["difference"] == pytest.approx(0.04, abs=1e-12)
    assert compare_value("p", lumo(-1.34), Number(-1.38))["difference"] == pytest.approx(-0.04, abs=1e-12)
    assert str(compare_value("p", lumo(-1.34), Number(-1.34))["difference"]) == "0.0"


@pytest.mark.parametrize(
    ("ours", "expected"),
    [(-1.34, "agrees"), (-1.35, "agrees"), (-1.33, "agrees"), (-1.3501, "differs"), (-1.3299, "differs")],
)
def test_the_ends_belong_to_the_tolerance(ours, expected):
    assert verdict(lumo(-1.34, 0.01), Number(ours)) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(2.0, 4.0, "agrees"), (2.8, 4.0, "agrees"), (1.0, 2.8, "agrees"), (2.81, 4.0, "differs"), (1.0, 2.79, "differs")],
)
def test_an_interval_agrees_when_it_holds_the_papers_value(low, high, expected):
    assert verdict(na_diffusion(2.8), Number(3.0, low, high)) == expected


def test_interval_or_tolerance_is_enough():
    value = na_diffusion(2.8, tolerance=0.5)
    assert verdict(value, Number(3.2, 3.1, 3.3)) == "agrees"
    assert verdict(value, Number(3.4, 3.3, 3.5)) == "differs"
    assert verdict(value, Number(9.0, 2.0, 16.0)) == "agrees"


def test_half_an_interval_is_none():
    assert verdict(na_diffusion(), Number(3.0, None, 9.0)).startswith("not comparable: our number has no interval")


def test_an_interval_that_holds_everything_is_told():
    wide = compare_value("p", na_diffusion(2.8), Number(1.0, 0.0, 5.0))
    narrow = compare_value("p", na_diffusion(2.8), Number(3.0, 2.0, 4.0))
    assert wide["verdict"] == "agrees" and "wider than our value" in wide["note"]
    assert "wider" not in narrow["note"] and "one box" not in narrow["note"]
    assert "one box only" in compare_value("p", na_diffusion(), Number(3.0, 2.0, 4.0, "ok (one box)"))["note"]


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (Number(None, high=4.0, verdict="not diffusive: D < 4"), "not comparable: not diffusive: D < 4"),
        (Number(2.8, 2.0, 4.0, verdict="not diffusive: slope 0.5"), "not comparable: not diffusive: slope 0.5"),
        (Number(2.8, 2.0, 4.0, verdict="replica 1: not equilibrated"), "not comparable: replica 1: not equilibrated"),
        (Number(None, verdict="not computed: x is missing"), "not computed: x is missing"),
        (Number(None, verdict="not converged: 100 cycles"), "not computed: not converged: 100 cycles"),
        (Number(None, verdict="geometry not converged: x"), "not computed: geometry not converged: x"),
        (Number(None, verdict="not diffusive: still ballistic"), "not comparable: not diffusive: still ballistic"),
        (Number(2.8, 2.0, 4.0, verdict="few samples; one box"), "not comparable: few samples; one box"),
        (Number(2.8, 2.0, 4.0, verdict="ok (one box)"), "agrees"),
        (Number(None), "not computed: no number was written"),
    ],
)
def test_a_flagged_number_is_never_judged(ours, expected):
    assert verdict(na_diffusion(2.8), ours) == expected


def test_numbers_that_the_paper_does_not_let_us_judge():
    row = compare_value("p", lumo(-4.87, None, not_comparable="level unknown"), Number(-4.87))
    assert row["verdict"] == "not comparable: level unknown" and row["ours"] == -4.87


def ranking(**energies_ev) -> dict:
    order = Order(
        table="t", quantity="LUMO order", subjects=[["Sn"], ["Na1"], ["FEC", "Na2"]], key="lumo_ev", where="Fig. 4d"
    )
    numbers = {"Sn": -4.9, "Na1": -2.5, "FEC": -0.2, "Na2": -2.0} | energies_ev
    return compare_order("p", order, {s: n if isinstance(n, Number) else Number(n) for s, n in numbers.items()})


def test_order_agrees_whatever_stands_inside_a_group():
    assert ranking()["verdict"] == "order agrees"
    assert ranking(FEC=-2.1)["verdict"] == "order agrees"
    assert "Sn -4.900 < Na1 -2.500 < Na2 -2.000 < FEC -0.200" in ranking()["note"]


def test_order_differs_when_one_member_crosses():
    row = ranking(Na2=-3.0)
    assert row["verdict"] == "order differs" and "Na2 is not above Na1" in row["note"]
    assert ranking(Sn=-0.1)["verdict"] == "order differs"


def test_a_tie_is_no_order():
    assert ranking(Na2=-2.5)["verdict"] == "order differs"
    assert ranking(Na2=-2.4995)["verdict"] == "order differs"
    assert ranking(Na2=-2.498)["verdict"] == "order agrees"


def test_an_order_needs_all_its_members():
    assert ranking(FEC=Number(None, verdict="not converged: SCF"))["verdict"] == "not computed: FEC: not converged: SCF"
    assert ranking(FEC=Number(-0.2, verdict="geometry saddle"))["verdict"] == "not comparable: FEC: geometry saddle"
