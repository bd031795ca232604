"""Write the table of the comparison page from ``measured.csv``: ``table.md`` beside this file."""

from pathlib import Path

import pandas

HERE = Path(__file__).parent
HEEDED = ("NeighborTrustWarning", "UserWarning")  # those that speak of the estimate


def cell(row: pandas.Series) -> str:
    """Three significant places, a dash where there is no value, a mark where a warning came."""
    if pandas.isna(row["mean"]):
        return "–"
    value = f"{row['mean']:.2f}" if abs(row["mean"]) >= 0.05 else f"{row['mean']:.4f}"
    said = str(row["said"])
    return value + (" ⚠" if row["estimator"] == "ksg" and said in HEEDED else "")


def table(measured: pandas.DataFrame) -> str:
    """Tasks down, packages across: neighbours first, then the Gaussian form."""
    shown = measured[measured["estimator"].isin(["ksg", "gaussian"])]
    shown = shown.sort_values("estimator", ascending=False, kind="stable")
    columns = list(dict.fromkeys(zip(shown["package"], shown["estimator"], strict=True)))
    names = [package + (", Gaussian" if kind == "gaussian" else "") for package, kind in columns]
    lines = [f"| task | truth | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    for task in measured["task"].unique():
        rows = shown[shown["task"] == task]
        found = {(row["package"], row["estimator"]): cell(row) for _, row in rows.iterrows()}
        values = [found.get(column, "–") for column in columns]
        lines.append(f"| {task} | {rows['truth'].iloc[0]:.2f} | {' | '.join(values)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "table.md").write_text(table(pandas.read_csv(HERE / "measured.csv")), encoding="utf-8")
