"""Tables of a study: functions of its data that return a data frame.

Positional parameters name the data as for :mod:`infotheo.study.figures`, keyword-only ones are
settings. Adding one is one function and one line.
"""

from collections.abc import Callable

import pandas

from infotheo.registry import Registry
from infotheo.study import STUDY_DATA
from infotheo.study.tables.invertibility_table import invertibility_table
from infotheo.study.tables.margin_and_information import margin_and_information
from infotheo.study.tables.phase_table import phase_table
from infotheo.study.tables.published import published_correlations, published_table
from infotheo.study.tables.regularizer_table import regularizer_table
from infotheo.study.tables.scale_table import scale_table

tables: Registry[Callable[..., pandas.DataFrame]] = Registry(
    {
        "regularizer_table": regularizer_table,
        "published_table": published_table,
        "published_correlations": published_correlations,
        "scale_table": scale_table,
        "phase_table": phase_table,
        "margin_and_information": margin_and_information,
        "invertibility_table": invertibility_table,
    },
    kind="table",
    context=STUDY_DATA,
)
