"""Every attack is held: no point more than honest code earns, nothing read, nothing left, neighbours as before."""

import re

import pytest

from tests.attacks.harness import Worker, attacks


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    with Worker(tmp_path_factory.mktemp("course")) as worker:
        yield worker


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: f"{attack.group}/{attack.name}")
def test_it_is_held(attack, worker):
    outcome = worker.hold(attack)
    assert outcome.score == attack.earns, outcome.sentences
    if attack.told == "nothing":
        assert outcome.sentences == []
    else:
        assert re.search(attack.told, "\n".join(outcome.sentences)), outcome.sentences
    assert all(sentence.isprintable() and len(sentence) < 500 for sentence in outcome.sentences)


def test_the_warm_interpreter_has_not_grown(worker):
    assert worker.warm_memory() - worker.memory < 4 << 20
