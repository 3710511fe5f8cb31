"""Every attack is held: no point more than honest code earns, nothing read, nothing left, neighbours as before."""

import pytest

from grader.lessons import COURSE_ROOT
from tests.attacks.harness import GROUPS, HERE, MAX_GROWTH, Worker, attacks
from tests.attacks.table import PAGE, complaint
from tests.attacks.threats import THREATS


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with Worker(tmp_path_factory.mktemp("course")) as worker:
        yield worker


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: f"{attack.group}/{attack.name}")
def test_it_is_held(attack, worker):
    assert complaint(attack, worker.hold(attack)) == ""


def test_the_warm_interpreters_have_not_grown(worker):
    assert worker.grown() < MAX_GROWTH


@pytest.mark.parametrize("group", GROUPS)
def test_every_threat_is_tried_and_every_attack_is_a_threats(group):
    tried = {name for names in THREATS[group].values() for name in names.split()}
    files = {name for name in tried if name.endswith(".py")}
    assert all((COURSE_ROOT / name).exists() for name in files)
    assert tried - files <= {attack.name for attack in attacks()}
    everywhere = " ".join(names for threats in THREATS.values() for names in threats.values()).split()
    assert {attack.name for attack in attacks() if attack.group == group} <= set(everywhere)


def test_the_page_lists_every_attack_and_threat():
    page = PAGE.read_text(encoding="utf-8")
    assert {path.stem for path in HERE.glob("*/*.py")} <= {attack.name for attack in attacks()}
    for attack in attacks():
        assert f"| {attack.name} | {attack.tries} | {attack.earns:g} | {attack.earns:g} |" in page, "run make attacks"
    for threats in THREATS.values():
        for threat, names in threats.items():
            assert f"| {threat} | {', '.join(names.split())} |" in page, "run make attacks"
