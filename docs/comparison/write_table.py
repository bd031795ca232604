"""Write the table of the comparison page from ``measured.csv``: ``table.md`` beside this file."""

from pathlib import Path

import pandas

HERE = Path(__file__).parent


def cell(value: float) -> str:
    """Three significant places, or a dash where there is no value."""
    return "–" if pandas.isna(value) else f"{value:.2f}" if abs(value) >= 0.05 else f"{value:.4f}"


def table(measured: pandas.DataFrame) -> str:
    """Tasks down, packages and estimators across."""
    columns = list(dict.fromkeys(zip(measured["package"], measured["estimator"], strict=True)))
    names = [f"{p} {'' if e == 'ksg' else e}".strip() for p, e in columns]
    lines = [f"| task | truth | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for task, rows in measured.groupby("task", sort=False):
        found = rows.set_index(["package", "estimator"])["mean"]
        values = [cell(found.get(column, float("nan"))) for column in columns]
        lines.append(f"| {task} | {rows['truth'].iloc[0]:.2f} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "table.md").write_text(table(pandas.read_csv(HERE / "measured.csv")), encoding="utf-8")
