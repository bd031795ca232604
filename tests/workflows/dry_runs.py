"""Many dry runs for the price of one start: Snakemake is imported once, each run is a fork.

Reads a list of argument lists as JSON on standard input and writes the list of what each printed.
"""

import json
import os
import sys
import tempfile

from snakemake.cli import main


def dry_run(arguments: list[str]) -> str:
    """Run Snakemake in a child process and return what it printed."""
    with tempfile.TemporaryFile("w+") as printed:
        child = os.fork()
        if child == 0:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            status = 1
            try:
                main([*arguments, "-n"])
            except SystemExit as finished:
                if isinstance(finished.code, str):  # as Python says it at its end
                    print(finished.code, file=sys.stderr)
                else:
                    status = int(finished.code or 0)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, status = os.waitpid(child, 0)
        printed.seek(0)
        return printed.read() if status == 0 else f"exit status {status}\n{printed.read()}"


if __name__ == "__main__":
    json.dump([dry_run(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
