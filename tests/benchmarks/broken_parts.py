"""Parts of the accelerator's command that do not do what they should."""

import os
import time


def fail(options, report):
    report.add("before", 1.0, 2.0, 2.0, required=">= 5")
    with report.attempt("one of several"):
        raise ValueError("no such thing\nand more of it")
    report.add("after", note=f"{options.device}, small: {options.small}")
    raise RuntimeError


def crash(options, report):
    report.add("before")
    os.abort()


def hang(options, report):
    report.add("before")
    time.sleep(60)
