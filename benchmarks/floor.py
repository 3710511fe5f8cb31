"""The least that running submissions can cost: `python -m benchmarks.floor FIGURES NOTEBOOK…`

One warm interpreter, a fork for each notebook, its code cells in IPython; no sandbox, no checks, no
gradebook. Prints the seconds that all notebooks took. FIGURES is `all`, or `changed` for those of cells
that the student has changed, as when the grader runs them.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import nbformat

from grader.sandbox.bubblewrap import ENVIRONMENT
from grader.submission import release_notebook

os.environ |= {name: value for name, value in ENVIRONMENT.items() if name not in ("HOME", "PATH")}

from grader.sandbox import inside  # noqa: E402 (with the settings that it has in a sandbox)


def main() -> None:
    figures, *paths = sys.argv[1:]
    os.rmdir(inside.WORK.parent)  # made for forks that write files
    undrawn = {cell.source for cell in release_notebook(Path(paths[0]).stem).cells} if figures == "changed" else ()
    shell = inside.warm_shell()
    inside.give_students_their_own_utils()
    gc.collect()
    gc.freeze()  # else each fork copies what it only looks at
    begin = time.perf_counter()
    for path in paths:
        fork = os.fork()
        if fork == 0:
            run(path, shell, undrawn)
            os._exit(0)
        os.waitpid(fork, 0)
    print(time.perf_counter() - begin)


def run(path: str, shell: Any, undrawn: Collection[str]) -> None:
    """Runs a notebook's code cells; their outputs are dropped."""
    runner = inside.Runner(shell, output_bytes=1 << 30)
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            runner.run_cell({"source": cell.source, "figures": cell.source not in undrawn})


if __name__ == "__main__":
    main()
