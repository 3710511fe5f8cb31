"""What is committed in notebooks/ is what the lesson files give."""

from grader.lessons import COURSE_ROOT
from grader.release import release


def test_notebooks_are_fresh(tmp_path):
    release(target=tmp_path)
    built, committed = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "notebooks", COURSE_ROOT / "notebooks")
    )
    assert built.keys() == committed.keys(), "run `make release` and commit notebooks/"
    stale = [str(name) for name in built if built[name] != committed[name]]
    assert not stale, "run `make release` and commit notebooks/"
