"""The command for real data: the same numbers from one process and from two, and after a kill; clear errors."""

import gzip
import json
import os
import signal
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch.distributed.run  # noqa: E402, F401, F811 (what torchrun runs)
from safetensors.torch import load_file  # noqa: E402

from utils import corpus  # noqa: E402
from utils.command import main  # noqa: E402
from utils.corpus.files import read_pairs  # noqa: E402
from utils.corpus.vocabulary import Vocabulary  # noqa: E402
from utils.fused import fuse  # noqa: E402
from utils.long_run import Run, Settings, _Plan, _summed_loss  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402
from utils.translation import Batch  # noqa: E402

TINY = Settings(8, 2, 1, 8, dropout=0.2, pieces=0, max_tokens=96, batches_a_step=2, warmup_steps=4, max_len=32)
PAIRS, VALIDATION = corpus.train_pairs()[:300], corpus.test_pairs()[:20]


def a_run(folder, tell=lambda line: None):
    return Run(folder, stand_in("Transformer"), tell)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{fr}\t{en}\n" for fr, en in PAIRS), encoding="utf-8")
    return path


def command(data, folder, *more, processes=1):
    start = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--standalone"] if processes > 1 else []
    sizes = "--d-model 8 --n-heads 2 --n-layers 1 --d-ff 8 --dropout 0.2 --pieces 0 --max-tokens 96 --batches-a-step 2"
    return [
        sys.executable, *start, "-m", "utils.translation", "train", "--data", str(data), "--folder", str(folder),
        *sizes.split(), "--warmup-steps", "4", "--max-len", "32", *more,
    ]  # fmt: skip


def losses(folder):
    return load_file(folder / "checkpoint.safetensors")["losses"].tolist()


def done(arguments):
    subprocess.run(arguments, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, timeout=120)


def test_two_processes_find_what_one_finds_and_a_killed_run_goes_on_as_if_nothing_had_been(data, tmp_path):
    done(command(data, tmp_path / "one", "--steps", "12", "--save-every", "4"))
    done(command(data, tmp_path / "two", "--steps", "12", "--save-every", "4", processes=2))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-5)
    weights = [load_file(tmp_path / name / "checkpoint.safetensors") for name in ("one", "two")]
    for name, tensor in weights[0].items():
        if name.startswith("model."):
            torch.testing.assert_close(weights[1][name], tensor, atol=1e-5, rtol=1e-4)

    long = command(data, tmp_path / "killed", "--steps", "100000", "--save-every", "4")
    with subprocess.Popen(long, stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}) as process:
        for line in process.stdout:
            if "saved at step 8" in line:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done(command(data, tmp_path / "killed", "--steps", "12", "--save-every", "4"))
    some = losses(tmp_path / "killed")  # it may have saved once more before it died
    assert some[:12] == losses(tmp_path / "one")


def test_a_run_goes_on_from_each_step_as_if_it_had_not_stopped(tmp_path):
    whole = a_run(tmp_path / "whole").train(TINY, PAIRS, VALIDATION, 7)
    for until in (2, 3, 7):
        parts = a_run(tmp_path / "parts").train(TINY, PAIRS, VALIDATION, until)
    assert parts == whole and len(whole) == 7
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == [
        "checkpoint.safetensors", "settings.json", "source.json", "target.json", "weights.safetensors",
    ]  # fmt: skip


def test_it_learns_and_translates_with_the_best_weights(tmp_path):
    lines = []
    run = a_run(tmp_path, lines.append)
    settings = Settings(32, 2, 1, 64, dropout=0.0, pieces=0, max_tokens=1024, warmup_steps=30, max_len=32)
    few = PAIRS[:40]
    run.train(settings, few, few, 160, save_every=80)
    assert run.translate([fr for fr, _ in few[:5]]) == [en for _, en in few[:5]]
    assert any("words a second" in line and "min left" in line for line in lines)


def test_each_pair_comes_once_an_epoch_within_the_budget():
    lengths = [1 + place % 9 for place in range(100)]
    plan = _Plan(lengths, Settings(max_tokens=40, batches_a_step=1))
    step, seen = 0, []
    while plan.epoch <= 1:
        step += 1
        [batch] = plan.step(step)
        if plan.epoch == 1:
            seen += batch
            assert len(batch) * max(lengths[place] for place in batch) <= 40
    assert sorted(seen) == list(range(100))
    anew = _Plan(lengths, Settings(max_tokens=40, batches_a_step=1))
    assert anew.step(step) == [batch]  # begun in the midst


@pytest.mark.parametrize("dropout", [0.0, 1.0])
def test_a_fused_model_has_the_same_weights_and_answers(dropout):
    torch.manual_seed(0)
    model = stand_in("Transformer")(9, 8, 8, 2, 2, 12, dropout=dropout).train()
    src, tgt = torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([[1, 5, 6], [1, 7, 0]])
    names = {name: weight.data_ptr() for name, weight in model.named_parameters()}
    wanted = model(src, tgt)
    assert torch.allclose(fuse(model, 2, dropout)(src, tgt), wanted, atol=1e-5)
    assert {name: weight.data_ptr() for name, weight in model.named_parameters()} == names


def test_the_loss_in_bfloat16_is_nearly_the_same_with_gradients_in_float32():
    torch.manual_seed(0)
    model = fuse(stand_in("Transformer")(9, 9, 8, 2, 2, 12, dropout=0.0), 2, 0.0)
    batch = Batch(torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([[1, 5, 6], [1, 7, 0]]))
    exact, coarse = (_summed_loss(model, batch, torch.device("cpu"), amp) for amp in (False, True))
    coarse.backward()
    assert coarse.dtype == torch.float32 and coarse.item() != exact.item()  # it did compute in bfloat16
    assert coarse.item() == pytest.approx(exact.item(), rel=0.02)
    assert all(weight.grad.dtype == torch.float32 for weight in model.parameters())


def test_subwords_write_any_sentence_and_come_back_from_their_file(tmp_path):
    pytest.importorskip("tokenizers")
    from utils.corpus.subwords import Subwords

    english = Subwords.learn([en for _, en in PAIRS], 400)
    english.save(tmp_path / "english.json")
    again = Subwords.load(tmp_path / "english.json")
    for sentence in ("Jane visits Ouagadougou — at 5 o'clock!", PAIRS[0][1], "日本"):
        assert english.sentence(english.ids(sentence)) == sentence
        assert again.ids(sentence) == english.ids(sentence)
    assert len(english) == len(again) == 400
    assert english.sentence([english.bos_id, *english.ids("a b"), english.eos_id, 300, 0]) == "a b"
    assert (english.pad_id, english.bos_id, english.eos_id) == (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.eos_id)
    with pytest.raises(ValueError, match="at least 260 pieces"):
        Subwords.learn(["a"], 10)


def test_pairs_come_from_folders_plain_or_compressed_and_from_files_with_tabs(tmp_path, data):
    (tmp_path / "train.fr").write_text("un\ndeux\n\n", encoding="utf-8")
    (tmp_path / "train.en.gz").write_bytes(gzip.compress(b"one\r\ntwo\r\n\r\n"))
    assert read_pairs(tmp_path, "train") == [("un", "one"), ("deux", "two")]
    train, val = read_pairs(data, "train"), read_pairs(data, "val")
    assert len(val) == 15 and sorted(train + val) == sorted(PAIRS)


BAD = {
    "no such path": (lambda path: path / "nowhere", "there is no .*nowhere: check the path"),
    "a folder without files": (lambda path: path, "expected train.fr or train.fr.gz in .*, found nothing"),
    "fewer lines": (lambda path: both(path, b"un\ndeux\n", b"one\n"), "as many lines in train.fr as in train.en, got 2 and 1"),
    "another encoding": (lambda path: both(path, "été\n".encode("latin-1"), b"summer\n"), "UTF-8 in train.fr"),
    "nothing in it": (lambda path: both(path, b"", b"one\n"), "sentences in train.fr, but it is empty"),
    "no tab": (lambda path: written(path / "pairs.tsv", b"un\tone\ndeux two\n"), "in line 2 of pairs.tsv, got 'deux two'"),
    "a damaged archive": (lambda path: written(path / "pairs.tsv.gz", b"no archive"), "got other bytes"),
}


def written(path, data):
    path.write_bytes(data)
    return path


def both(folder, source, target):
    written(folder / "train.fr", source)
    written(folder / "train.en", target)
    return folder


@pytest.mark.parametrize("case", BAD)
def test_data_that_cannot_be_read_are_told_in_a_sentence(case, tmp_path):
    make, sentence = BAD[case]
    with pytest.raises(ValueError, match=sentence):
        read_pairs(make(tmp_path), "train")


def test_what_does_not_fit_a_run_ends_the_command_with_a_sentence(tmp_path, data, monkeypatch):
    run = ["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--pieces", "0", "--max-tokens"]
    small = ["--d-model", "8", "--n-heads", "2", "--n-layers", "1", "--d-ff", "8"]
    for arguments, sentence in (
        (["translate", "--folder", str(tmp_path / "run"), "Jane"], "expected a run of training"),
        (["score", "--folder", str(tmp_path / "run"), "--split", "test"], "expected 'train' or 'val'"),
        ([*run, "3", *small, "--steps", "1"], "expected a budget of at least"),
        ([*run, "64", *small, "--steps", "1"], "expected max_tokens 3, with which the run"),
    ):
        with pytest.raises(SystemExit, match=sentence):
            main(arguments)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="that 2 processes can share, got 3: ask for 4"):
        main([*run, "64", *small, "--steps", "1", "--folder", str(tmp_path / "other"), "--batches-a-step", "3"])


def test_the_command_goes_on_with_the_settings_that_it_began_with(tmp_path, data, capsys):
    begin = ["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--pieces", "0", "--max-tokens", "64"]
    main([*begin, "--d-model", "8", "--n-heads", "2", "--n-layers", "1", "--d-ff", "8", "--steps", "2"])
    main(["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--steps", "3"])
    assert "2 steps were taken before" in capsys.readouterr().out
    assert len(losses(tmp_path / "run")) == 3
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["d_model"] == 8
    main(["translate", "--folder", str(tmp_path / "run"), "Jane visite Rome"])
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.skipif(torch.cuda.device_count() < 1, reason="needs a GPU")
def test_it_trains_on_a_gpu_in_bfloat16(tmp_path):
    lines = []
    assert len(a_run(tmp_path, lines.append).train(TINY, PAIRS, VALIDATION, 3)) == 3
    assert any("on cuda in bfloat16" in line for line in lines)
