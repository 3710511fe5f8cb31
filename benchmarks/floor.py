"""The least that running submissions can cost: `python -m benchmarks.floor CELLS NOTEBOOK…`

One warm interpreter, a fork for each notebook, its code cells in IPython; no sandbox, no checks, no
gradebook. Prints the seconds that all notebooks took. CELLS is `all`, with all their figures as plain
nbgrader runs them, or `needed`: the same ones as the grader runs, with the same figures.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

import nbformat

from grader.needed import needed
from grader.sandbox.bubblewrap import ENVIRONMENT, INSIDE
from grader.submission import release_notebook
from utils.names import names

sys.path.append(str(INSIDE.parent))  # as in a sandbox
os.environ |= {name: value for name, value in ENVIRONMENT.items() if name not in ("HOME", "PATH")}

from grader.sandbox import inside  # noqa: E402 (with the settings that it has in a sandbox)


def main() -> None:
    which, *paths = sys.argv[1:]
    os.rmdir(inside.WORK.parent)  # made for forks that write files
    shell = inside.warm_shell()
    inside.give_students_their_own_utils()
    plans = [plan(Path(path), which, shell) for path in paths]
    gc.collect()
    gc.freeze()  # else each fork copies what it only looks at
    begin = time.perf_counter()
    for cells in plans:
        fork = os.fork()
        if fork == 0:
            runner = inside.Runner(shell, output_bytes=1 << 30)  # what they show is dropped
            for cell in cells:
                runner.run_cell(cell)
            os._exit(0)
        os.waitpid(fork, 0)
    print(time.perf_counter() - begin)


def plan(path: Path, which: str, shell: Any) -> list[dict[str, Any]]:
    """The cells of a notebook to run, each with whether to draw the lesson's figures in it."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    if which == "all":
        return [{"source": cell.source, "figures": True} for cell in cells]
    own = {cell.source for cell in release_notebook(path.stem).cells if not cell.metadata.get("nbgrader")}
    sources = [cell.source for cell in cells if not cell.metadata.get("nbgrader", {}).get("grade")]
    theirs = {n: names(shell.transform_cell(source)) for n, source in enumerate(sources) if source not in own}
    run = needed(sources, theirs)
    return [{"source": source, "figures": source not in own} for source, is_run in zip(sources, run) if is_run]


if __name__ == "__main__":
    main()
