"""Draw the pictures of "Which estimator, which noise, which sample size", or check their numbers.

``python docs/pictures/draw.py`` computes every table and draws it; ``... draw.py bins`` does one;
``... draw.py --check`` computes the tables again and compares them with the files that are there,
but for those that take minutes, unless they are named.
"""

import argparse
import importlib
from pathlib import Path

import numpy as np
import pandas

from infotheo.study.figures import style

HERE = Path(__file__).parent
NAMES = ("saturation", "noise", "labels", "bins", "dimension", "learned")
TOLERANCE = 1e-6  # rounding differs between processors; a picture may name columns of its own


def main() -> None:
    """Read the command line, compute, and draw or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=f"among {', '.join(NAMES)}")
    parser.add_argument("--check", action="store_true", help="compare with the files instead")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no picture is named {', '.join(sorted(unknown))}; there are {NAMES}")
    for name in arguments.names or NAMES:
        picture = importlib.import_module(name)
        if arguments.check and not arguments.names and getattr(picture, "SLOW", False):
            continue
        table = picture.table()
        path = HERE / f"{name}.csv"
        if arguments.check:
            compare(table, pandas.read_csv(path), getattr(picture, "TOLERANCE", {}), name)
        else:
            table.to_csv(path, index=False, float_format="%.9g")
            style.save(style.styled(picture.draw)(table), HERE / f"{name}.png")
        print(f"{name}: {len(table)} rows")


def compare(
    found: pandas.DataFrame, written: pandas.DataFrame, tolerance: dict[str, float], name: str
) -> None:
    """Refuse a table that is not the one on the page."""
    for column in written:
        allowed = tolerance.get(column, TOLERANCE)
        pandas.testing.assert_series_equal(
            found[column], written[column], check_dtype=False, rtol=allowed, atol=allowed,
            obj=f"{column} of {name}",
        )  # fmt: skip


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
