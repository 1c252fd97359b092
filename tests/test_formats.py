"""Tables as CSV, Markdown and LaTeX: digits, signs, and cells that try to break them."""

from __future__ import annotations

from electroscreen.report.formats import escape_latex, escape_markdown, readable, write_table


def test_csv_keeps_six_digits_and_readers_see_four(tmp_path):
    rows = [{"name": "a", "x": 1.23456789}, {"name": "b", "x": -0.0}, {"name": "c"}]
    write_table(iter(rows), {"name": "name", "x": "x (eV)"}, {"name"}, tmp_path / "t", "")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "name,x\na,1.23457\nb,0\nc,\n"
    assert (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()[1:3] == ["|---|---:|", "| a | 1.235 |"]
    assert [readable(x) for x in (1.23456789, 298.15, 0.0, None, -1.3400000001)] == ["1.235", "298.2", "0", "", "-1.34"]
    assert [readable(x) for x in (562581, 7301.0, 1.16e-9)] == ["562581", "7301", "1.16e-09"]


HOSTILE = "<script>alert('&')</script> 50 % of a_b \\ ~^{x}$#|`*"


def test_latex_prints_every_sign():
    escaped = escape_latex(HOSTILE)
    assert escaped == (
        r"\textless{}script\textgreater{}alert('\&')\textless{}/script\textgreater{} 50 \% of a\_b "
        r"\textbackslash{} \textasciitilde{}\textasciicircum{}\{x\}\$\#\textbar{}`*"
    )
    assert escape_latex("2.3 Å²/ns at 25 °C, Li₂O") == (
        r"2.3 \AA{}\textsuperscript{2}/ns at 25 \textdegree{}C, Li\textsubscript{2}O"
    )


def test_hostile_cells_break_no_table(tmp_path):
    rows = [{"name": HOSTILE + "\n| x |", "x": -1.5}]
    write_table(rows, {"name": "name", "x": "x (Å²/ns)"}, {"name"}, tmp_path / "t", "100 %")
    lines = (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[2].replace("\\|", "").count("|") == 3  # the bars of two cells, and none of their content's
    assert "\\<script\\>" in lines[2] and escape_markdown("a_b") == "a\\_b"
    body = (tmp_path / "t.tex").read_text(encoding="utf-8").split("\\endfoot\n")[1]
    assert body.replace("\\&", "").count("&") == 1 and "$-1.5$ \\\\" in body
