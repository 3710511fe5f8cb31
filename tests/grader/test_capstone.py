"""The last points of lesson 08: a learner's own weights, handed in beside the notebook, say what they are worth."""

import json
import shutil
import struct
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load, save  # noqa: E402
from torch import nn  # noqa: E402

from grader.grading import grade_file, grade_notebook, hidden_checksets  # noqa: E402
from grader.lessons import read_lesson  # noqa: E402
from grader.sandbox import Limits, Sandbox  # noqa: E402
from grader.submission import read_files, read_submission, release_notebook, repair  # noqa: E402
from grader.transport import files_beside  # noqa: E402
from utils import corpus, translation, translator  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402

LESSON, SEED, FILE = "08_translation", 11, translator.FILE
NOTEBOOK = Path(__file__).parents[1] / "submissions" / f"{LESSON}__perfect-without-weights__23.ipynb"
WITHOUT, POINTS = 10, 3  # greedy_decode and translate; the other answers are left out, for time


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(Limits()) as opened:
        yield opened


@pytest.fixture(scope="module")
def trained():
    """From a number of steps to the weights that the lesson's own `practise` makes with them."""
    names = {"torch": torch, "nn": nn, "Transformer": stand_in("Transformer")} | vars(corpus) | vars(translation)
    names["french"], names["english"] = corpus.vocabularies()
    names["pad_id"] = names["english"].pad_id
    cell = next(cell.source for cell in read_lesson(LESSON).cells if "def practise(" in cell.source)
    begin = cell.index("def practise(")
    exec(cell[begin : cell.index("def loss_on_test(")], names)
    made = {}

    def after(n_steps, folder):
        if n_steps not in made:
            translator.save_translator(names["practise"](n_steps), folder / "made")
            made[n_steps] = (folder / "made").read_bytes()
        return made[n_steps]

    return after


@pytest.fixture
def handed_in(tmp_path, sandbox):
    """Grades greedy_decode and translate with some bytes beside them; returns the score, and what is said of translate."""

    def grade(data=None, edit=lambda source: source):
        folder = tmp_path / "submitted"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
        left_out = "def beam_search(", "class CachedAttention("
        notebook["cells"] = [cell for cell in notebook["cells"] if not any(part in cell["source"] for part in left_out)]
        for cell in notebook["cells"]:
            cell["source"] = edit(cell["source"])
        (folder / f"{LESSON}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        if data is not None:
            (folder / FILE).write_bytes(data)
        graded = grade_file(folder / f"{LESSON}.ipynb", SEED, sandbox)
        assert graded.results["greedy_decode"].status == "passed"
        return graded.score, graded.results["translate"].message

    return grade


@pytest.mark.parametrize("n_steps, points", [(120, 1), (150, 2), (300, 3)])
def test_the_better_the_weights_translate_the_more_points(n_steps, points, trained, handed_in, tmp_path):
    score, message = handed_in(trained(n_steps, tmp_path))
    assert score == WITHOUT + points
    assert ("BLEU" in message) == (points < POINTS)


def weights(tmp_path, trained):
    return load(trained(120, tmp_path))


def header(tensors, length=None):
    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


UNUSABLE = {
    "no file": (lambda known: None, "there is no translator.safetensors beside the notebook"),
    "an empty file": (lambda known: b"", "is no safetensors file"),
    "a word": (lambda known: b"weights", "is no safetensors file"),
    "a pickle": (lambda known: b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.", "is no safetensors file"),
    "cut short": (lambda known: save(known)[:-1000], "is no safetensors file"),
    "a header too long": (lambda known: header({}, 1 << 60), "is no safetensors file"),
    "a shape too large": (lambda known: header({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}}), "is no safetensors file"),
    "another's weights": (lambda known: save({"a": torch.ones(3)}), "holds no Transformer of lesson 06"),
    "one is missing": (lambda known: save(dict(list(known.items())[:-1])), "holds no Transformer of lesson 06: there is no"),
    "another shape": (lambda known: save(known | {"src_embeddings.tokens.weight": torch.ones(3)}), "holds no Transformer"),
    "no heads": (lambda known: save(known, {"n_heads": "0"}), "holds no Transformer that can be built"),
    "seven heads": (lambda known: save(known, {"n_heads": "7"}), "holds no Transformer that can be built"),
    "heads in words": (lambda known: save(known, {"n_heads": "many"}), "holds no Transformer that can be built"),
    "too large": (lambda known: save(known | {"more": torch.zeros(5_000_001)}), "is too large: at most 20,000,000 bytes are read"),
    "NaN": (lambda known: save({name: torch.full_like(one, torch.nan) for name, one in known.items()}), "BLEU 0.0"),
    "thin matrices": (lambda known: save({name: one[..., :1].clone() for name, one in known.items()}), "holds no Transformer"),
}


@pytest.mark.parametrize("make, told", UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_costs_these_points_alone(make, told, trained, handed_in, tmp_path):
    score, message = handed_in(make(weights(tmp_path, trained)))
    assert score == WITHOUT and told in message


def test_no_link_is_followed(tmp_path, trained):
    beside = tmp_path / "beside"
    beside.mkdir()
    (tmp_path / FILE).write_bytes(trained(120, tmp_path))
    (beside / FILE).symlink_to(tmp_path / FILE)
    assert read_files(beside, [FILE]) == {} == files_beside(beside)
    assert list(read_files(tmp_path, [FILE])) == [FILE]


def test_what_goes_to_the_answer_tells_neither_right_translations_nor_the_seed():
    questions = [question for question in hidden_checksets(LESSON, SEED)["translate"].questions if question.key]
    assert len(questions) == POINTS
    for question in questions:
        (asked,) = question.request["args"]
        assert set(asked) == {"sentences", "order"} and not question.request["kwargs"]
        assert len(question.key["references"]) == len(asked["sentences"]) == 64
        assert not set(question.key["references"]) & set(asked["sentences"])


def test_a_hand_written_answer_without_a_model_fails_what_comes_first(handed_in, trained, tmp_path):
    """Sentences are looked up in the corpus: the given model is not asked, so the exercise is not solved."""
    looked_up = '''
def translate(model, sentences):
    from utils.corpus import train_pairs, test_pairs
    known = dict(train_pairs()) | dict(test_pairs())
    return [known.get(text, text) for text in sentences]
'''
    score, _ = handed_in(trained(300, tmp_path), lambda source: looked_up if "def translate(" in source else source)
    assert score == WITHOUT - 3


def test_translations_that_the_weights_did_not_make_earn_nothing(handed_in, trained, tmp_path):
    """Even who has all the right ones at hand, beside weights that would say the same: the model's words are renamed."""
    question = next(one for one in hidden_checksets(LESSON, SEED)["translate"].questions if one.key)
    known = dict(zip(question.request["args"][0]["sentences"], question.key["references"]))
    by_heart = f'''
def translate(model, sentences):
    from utils.corpus import vocabularies
    from utils.translation import padded

    known = {known!r}
    if set(sentences) <= set(known):
        return [known[sentence] for sentence in sentences]
    french, english = vocabularies()
    src_ids = padded([french.ids(sentence) for sentence in sentences], french.pad_id)
    tgt_ids = greedy_decode(model, src_ids, english.bos_id, english.eos_id, max_len=30)
    return [english.sentence(row) for row in tgt_ids.tolist()]
'''
    score, message = handed_in(trained(300, tmp_path), lambda source: by_heart if "def translate(" in source else source)
    assert (score, "BLEU" in message) == (WITHOUT, True), message


def test_weights_travel_with_the_submission_to_every_worker(trained, sandbox, tmp_path):
    """What `autograde`, the cluster and nbgrader's executor hand on is what a single file is graded with."""
    data = trained(300, tmp_path)
    folder = tmp_path / "submitted"
    folder.mkdir()
    shutil.copy(NOTEBOOK, folder / f"{LESSON}.ipynb")  # all four answers
    (folder / FILE).write_bytes(data)
    files = files_beside(folder)
    assert files == {FILE: data} == read_files(folder, [FILE])
    notebook = repair(read_submission(folder / f"{LESSON}.ipynb"), release_notebook(LESSON))
    assert grade_notebook(notebook, LESSON, SEED, sandbox, files).score == 26
