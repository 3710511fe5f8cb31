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
from utils.fused import FusedAttention, fuse  # noqa: E402
from utils.long_run import Run, Settings, _batch, _Plan, _summed_loss  # noqa: E402
from utils.stand_ins import stand_in  # noqa: E402
from utils.training import load_checkpoint  # noqa: E402
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


def test_weights_that_do_worse_on_the_validation_pairs_are_not_kept(tmp_path):
    other = [(fr, en) for (fr, _), (_, en) in zip(PAIRS[:40], PAIRS[40:80])]  # what is learned of the one hurts the other
    lines, run = [], a_run(tmp_path)
    run.tell = lines.append
    settings = Settings(16, 2, 1, 32, dropout=0.0, pieces=0, max_tokens=1024, warmup_steps=20, max_len=32)
    run.train(settings, PAIRS[:40], other, 120, save_every=20)
    told = [float(line.partition("validation loss ")[2].split(",")[0]) for line in lines if "validation loss" in line]
    assert len(told) == 6 and told[-1] > min(told)
    assert run.lowest() == pytest.approx(min(told), abs=1e-4)
    batch = _batch(run._ids(PAIRS[:40]))
    kept, last = run.best(), run.model(torch.device("cpu")).eval()
    load_checkpoint(run.checkpoint, last, torch.optim.Adam(last.parameters()))
    assert not torch.allclose(kept(batch.src, batch.tgt), last(batch.src, batch.tgt))


def test_a_first_try_that_failed_leaves_the_folder_free(tmp_path):
    run = a_run(tmp_path)
    with pytest.raises(ValueError, match="budget of at least"):
        run.train(Settings(8, 2, 1, 8, pieces=0, max_tokens=3, max_len=32), PAIRS, VALIDATION, 1)
    assert len(run.train(TINY, PAIRS, VALIDATION, 1)) == 1


def test_a_run_goes_on_with_its_own_pairs_alone(tmp_path):
    run = a_run(tmp_path)
    run.train(TINY, PAIRS, VALIDATION, 1)
    for pairs, validation in ((PAIRS[1:], VALIDATION), (PAIRS, VALIDATION[1:])):
        with pytest.raises(ValueError, match="expected the pairs of sentences with which the run in .* got others"):
            run.train(TINY, pairs, validation, 2)
    assert len(run.train(TINY, PAIRS, VALIDATION, 2)) == 2


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n_heads": 0}, "n_heads to be at least 1, got 0"),
        ({"warmup_steps": 0}, "warmup_steps to be at least 1, got 0"),
        ({"batches_a_step": 0}, "batches_a_step to be at least 1, got 0"),
        ({"pieces": -1}, "pieces to be at least 0, got -1"),
        ({"dropout": 1.0}, "dropout from 0 to below 1, got 1.0"),
    ],
)
def test_settings_out_of_range_are_told(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        Settings(**wrong)


def test_runs_that_cannot_be_are_told_before_the_first_step(tmp_path):
    for settings, pairs, validation, steps, sentence in (
        (TINY, [], VALIDATION, 1, "pairs to learn from and pairs to validate by, got 0 and 20"),
        (TINY, PAIRS, [], 1, "got 300 and 0"),
        (TINY, PAIRS, VALIDATION, 0, "steps to be at least 1, got 0"),
        (Settings(8, 2, 1, 8, pieces=0, max_len=2), PAIRS, VALIDATION, 1, "at most 2 ids, but all 300 pairs"),
        (TINY, PAIRS, [("un " * 40, "one")], 1, "at most 32 ids, but all 1 pairs"),
    ):
        with pytest.raises(ValueError, match=sentence):
            a_run(tmp_path).train(settings, pairs, validation, steps)
    assert not (tmp_path / "checkpoint.safetensors").exists()
    a_run(tmp_path).train(TINY, PAIRS, VALIDATION, 1)
    (tmp_path / "source.json").unlink()
    with pytest.raises(ValueError, match="vocabulary in .*source.json, but it is gone"):
        a_run(tmp_path).translate(["Jane"])


def test_of_nothing_the_translation_is_nothing(tmp_path):
    run = a_run(tmp_path)
    run.train(TINY, PAIRS, VALIDATION, 1)
    first, second = run.translate(["Jane visite Rome", "Jane quitte Rome"])
    assert run.translate(["", "Jane visite Rome", "  ", "Jane quitte Rome"]) == ["", first, "", second]
    assert run.translate([""]) == [""]


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


def test_fused_attention_drops_weights_in_training_alone():
    torch.manual_seed(0)
    attention = FusedAttention(stand_in("MultiHeadAttention")(8, 2), 2, dropout=1.0)
    x = torch.randn(2, 3, 8)
    nothing = attention.w_o.bias.expand(2, 3, 8)
    assert torch.allclose(attention.train()(x, x, x)[0], nothing)
    assert not torch.allclose(attention.eval()(x, x, x)[0], nothing)


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
    "no line with both": (lambda path: both(path, b"un\n\n", b"\none\n"), "in the same lines of train.fr and train.en, found none"),
    "no tab": (lambda path: written(path / "pairs.tsv", b"un\tone\ndeux two\n"), "in line 2 of pairs.tsv, got 'deux two'"),
    "no archive": (lambda path: written(path / "pairs.tsv.gz", b"no archive"), "got other bytes"),
    "a damaged archive": (lambda path: written(path / "pairs.tsv.gz", damaged(gzip.compress(b"un\tone\n" * 99))), "got other bytes"),
}


def written(path, data):
    path.write_bytes(data)
    return path


def damaged(data):
    return data[:12] + bytes(byte ^ 255 for byte in data[12:-8]) + data[-8:]


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
        ([*run, "64", *small, "--steps", "1", "--save-every", "0"], "expected save_every to be at least 1"),
        ([*run, "64", *small, "--steps", "1", "--folder", str(data)], "File exists|Not a directory"),
    ):
        with pytest.raises(SystemExit, match=sentence):
            main(arguments)
    main([*run, "64", *small, "--steps", "1"])
    with pytest.raises(SystemExit, match="expected max_tokens 64, with which the run"):
        main([*run, "65", *small, "--steps", "2"])
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SystemExit, match="that 2 processes can share, got 3: ask for 4"):
        main([*run, "64", *small, "--steps", "1", "--folder", str(tmp_path / "other"), "--batches-a-step", "3"])


def test_the_command_goes_on_with_the_settings_that_it_began_with(tmp_path, data, capsys):
    begin = ["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--pieces", "0", "--max-tokens", "64"]
    main([*begin, "--d-model", "8", "--n-heads", "2", "--n-layers", "1", "--d-ff", "8", "--steps", "2"])
    main(["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--steps", "3"])
    assert "2 steps were taken before" in capsys.readouterr().out
    assert len(losses(tmp_path / "run")) == 3
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["settings"]["d_model"] == 8
    main(["translate", "--folder", str(tmp_path / "run"), "Jane visite Rome"])
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_sentences_that_are_too_long_to_be_scored_are_counted(tmp_path, data, capsys):
    pytest.importorskip("sacrebleu")
    begin = ["train", "--data", str(data), "--folder", str(tmp_path / "run"), "--pieces", "0", "--max-tokens", "64", "--max-len", "16"]
    main([*begin, "--d-model", "8", "--n-heads", "2", "--n-layers", "1", "--d-ff", "8", "--steps", "1"])
    (tmp_path / "test.fr").write_text("Jane visite Rome\n" + "Jane " * 17 + "\n", encoding="utf-8")
    (tmp_path / "test.en").write_text("Jane visits Rome\nJane\n", encoding="utf-8")
    main(["score", "--data", str(tmp_path), "--split", "test", "--folder", str(tmp_path / "run")])
    said = capsys.readouterr().out
    assert "1 of 2 sentences are longer than this run's max_len and left out" in said and "BLEU = " in said


@pytest.mark.skipif(torch.cuda.device_count() < 1, reason="needs a GPU")
def test_it_trains_on_a_gpu_in_bfloat16(tmp_path):
    lines = []
    assert len(a_run(tmp_path, lines.append).train(TINY, PAIRS, VALIDATION, 3)) == 3
    assert any("on cuda in bfloat16" in line for line in lines)
