"""A suspect's tensors come out under the original's keys, or are listed with the reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from kinprint.cli import main
from kinprint.errors import KinprintError, UsageError
from kinprint.experiment import output_folder
from kinprint.experiment.contest import Contest, Contestant
from kinprint.experiment.pairing import Model
from kinprint.experiment.rekey import plan_rekeying, write_rekeyed
from kinprint.fingerprint.take import take
from kinprint.lineage.thresholds import PAIRED_CORRELATION
from memory_checkpoint import MemoryCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

Weights = dict[str, np.ndarray]
SIZE = 96


def transformer(seed: int = 0, layers: int = 4) -> Weights:
    """Matrices, vectors of several kinds, a stack of experts, small and odd tensors."""
    rng = np.random.default_rng(seed)

    def normal(std: float, *shape: int) -> np.ndarray:
        return rng.normal(0, std, shape).astype(np.float32)

    weights: Weights = {"model.embed.weight": normal(0.05, 300, SIZE)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        for name in ("q", "k", "v"):
            weights[f"{at}.attn.{name}.weight"] = normal(0.05, SIZE, SIZE)
            weights[f"{at}.attn.{name}.bias"] = normal(2e-4 if name == "k" else 0.1, SIZE)
        weights[f"{at}.norm.weight"] = 1 + normal(0.1, SIZE)
        weights[f"{at}.norm.bias"] = normal(0.05, SIZE)
        weights[f"{at}.experts.up"] = normal(0.05, 3, SIZE, SIZE)
        weights[f"{at}.experts.gate_bias"] = normal(0.05, 3)
    weights["model.segments.weight"] = normal(0.05, 2, SIZE)
    weights["model.ones"] = np.ones(SIZE, np.float32)
    weights["model.zeros"] = np.zeros(SIZE, np.float32)
    weights["scale"] = np.array(4.6, np.float32)
    return weights


def foreign(name: str) -> str:
    for old, new in (
        ("model.", "llm.trunk."),
        ("layers", "blk"),
        ("attn.", "mix."),
        ("norm", "ln"),
        ("experts", "moe"),
        ("weight", "w"),
    ):
        name = name.replace(old, new)
    return name


def renamed(weights: Weights) -> Weights:
    return {foreign(name): value for name, value in weights.items()}


def noised(weights: Weights, sigma: float = 1 / 708, seed: int = 1) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: np.asarray(value + rng.normal(0, sigma, value.shape), np.float32)
        for name, value in weights.items()
    }


def model(weights, **more) -> Model:
    checkpoint = MemoryCheckpoint(weights, **more)
    return Model(checkpoint, take(checkpoint))


def rekeyed(suspect: Model, original: Model, folder: Path):
    plan = plan_rekeying(suspect, original)
    write_rekeyed(suspect.checkpoint, original.checkpoint, plan, folder)
    return plan, load_file(folder / "model.safetensors")


def assert_same(left: Weights, right: Weights) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert right[name].dtype == value.dtype, name
        assert right[name].shape == value.shape, name
        assert right[name].tobytes() == value.tobytes(), name


ORIGINAL = transformer()
ORIGINAL_MODEL = model(ORIGINAL)


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_renamed_reordered_and_resharded_weights_come_back_bit_for_bit(
    tmp_path_factory, chance, files
):
    names = list(ORIGINAL)
    chance.shuffle(names)
    numbers = list(range(len(names)))
    chance.shuffle(numbers)
    mixed = {f"p{number:03d}": ORIGINAL[n] for n, number in zip(names, numbers, strict=True)}
    folder = tmp_path_factory.mktemp("out") / "model"
    plan, found = rekeyed(model(mixed, files=files), ORIGINAL_MODEL, folder)
    assert_same(ORIGINAL, found)
    assert plan.missing == plan.left_out == ()


def test_a_noised_copy_under_foreign_names_gets_every_key_back(tmp_path):
    copy = noised(ORIGINAL)
    suspect = model(renamed(copy))
    plan, found = rekeyed(suspect, ORIGINAL_MODEL, tmp_path / "out")
    # Which constants were which cannot be told under noise, nor which scalar is the scale.
    unknown = {"model.ones", "model.zeros", "scale"}
    assert {each.name for each in plan.missing} == unknown
    assert_same({k: v for k, v in copy.items() if k not in unknown}, found)
    by_place = {each.name for each in plan.tensors if each.found_by == "place"}
    assert {f"model.layers.{n}.attn.k.bias" for n in range(4)} <= by_place
    assert "model.layers.0.attn.q.weight" not in by_place


def test_vectors_that_neither_values_nor_places_tell_are_reported_not_guessed():
    copy = noised(ORIGINAL, 0.02)
    opaque = {f"t{n}": copy[name] for n, name in enumerate(sorted(copy, reverse=True))}
    plan = plan_rekeying(model(opaque), ORIGINAL_MODEL)
    written = {each.name: each.suspect_names for each in plan.tensors}
    assert all(
        opaque[names[0]].tobytes() == copy[name].tobytes() for name, names in written.items()
    )
    missing = {each.name: each.reason for each in plan.missing}
    for layer in range(4):
        assert missing[f"model.layers.{layer}.attn.k.bias"].startswith("ambiguous")
    assert any(each.reason.startswith("ambiguous") for each in plan.left_out)


def test_the_suspects_dtype_is_kept(tmp_path):
    halved = {foreign(name): (value, "BF16") for name, value in ORIGINAL.items()}
    plan, _ = rekeyed(model(halved), ORIGINAL_MODEL, tmp_path / "out")
    assert plan.missing == ()
    with safe_open(tmp_path / "out" / "model.safetensors", "np") as file:
        for name in file.keys():  # noqa: SIM118 - safetensors has no other way
            assert file.get_slice(name).get_dtype() == "BF16"


def test_flipped_signs_are_turned_back_with_their_vectors(tmp_path):
    flipped = {
        name: -value if ".q." in name or name.endswith("norm.bias") else value
        for name, value in ORIGINAL.items()
    }
    plan, found = rekeyed(model(renamed(noised(flipped, 1e-6))), ORIGINAL_MODEL, tmp_path / "out")
    negated = {each.name for each in plan.tensors if each.negated}
    assert negated == {n for n in ORIGINAL if ".q." in n or n.endswith("norm.bias")}
    for name in negated:
        np.testing.assert_allclose(found[name], ORIGINAL[name], atol=1e-5)


def test_a_sign_that_noise_hides_is_taken_from_the_matrix_beside_it(tmp_path):
    flipped = {name: -value if ".k." in name else value for name, value in ORIGINAL.items()}
    suspect = renamed(noised(flipped))
    _, found = rekeyed(model(suspect), ORIGINAL_MODEL, tmp_path / "out")
    for layer in range(4):
        name = f"model.layers.{layer}.attn.k.bias"
        assert found[name].tobytes() == (-suspect[foreign(name)]).tobytes()


def test_two_vectors_are_no_partners_because_they_are_what_is_left():
    rng = np.random.default_rng(4)
    mine, theirs = rng.normal(size=(2, 77)).astype(np.float32)
    plan = plan_rekeying(
        model({**renamed(ORIGINAL), "llm.trunk.own": mine}),
        model({**ORIGINAL, "model.end": theirs}),
    )
    assert [each.name for each in plan.missing] == ["model.end"]
    assert [each.name for each in plan.left_out] == ["llm.trunk.own"]


def contestants(*rows: np.ndarray):
    return [
        Contestant(number, f"t{number}", "F32", row.astype(np.float32).tobytes())
        for number, row in enumerate(rows)
    ]


def decided(suspects, originals, *, least: float) -> list[tuple[int, int]]:
    contest = Contest(contestants(*suspects), contestants(*originals), sketched=False)
    contest.decide_by_values(least=least)
    return [(each.suspect, each.original) for each in contest.found]


def test_values_decide_only_where_one_partner_is_far_likelier_than_any_other():
    rng = np.random.default_rng(6)
    one, noise = rng.normal(size=(2, 384))
    twin = one + 1e-3 * rng.normal(size=384)
    copy = one + 0.1 * noise
    assert decided([copy], [one, rng.normal(size=384)], least=0.97) == [(0, 0)]
    assert decided([copy], [one, twin], least=0.97) == []


def test_a_vector_that_merely_resembles_another_is_not_its_partner():
    rng = np.random.default_rng(7)
    one = rng.normal(size=384)
    relative = one + 0.4 * rng.normal(size=384)
    assert decided([relative], [one, rng.normal(size=384)], least=PAIRED_CORRELATION) == []
    assert decided([relative], [one, rng.normal(size=384)], least=0.0) == [(0, 0)]


def test_experts_saved_one_by_one_are_stacked_again(tmp_path):
    apart: Weights = {}
    for name, value in ORIGINAL.items():
        if value.ndim == 3:
            apart |= {f"{foreign(name)}.{n}.w": value[n] for n in (2, 0, 1)}
        else:
            apart[foreign(name)] = value
    plan, found = rekeyed(model(apart), ORIGINAL_MODEL, tmp_path / "out")
    assert_same(ORIGINAL, found)
    stacked = next(each for each in plan.tensors if each.name == "model.layers.1.experts.up")
    assert stacked.suspect_names == tuple(f"llm.trunk.blk.1.moe.up.{n}.w" for n in range(3))


def test_stacked_experts_are_taken_apart_where_the_original_has_them_apart(tmp_path):
    apart: Weights = {}
    for name, value in ORIGINAL.items():
        rows = {f"{name}.{n}": value[n] for n in range(len(value))} if value.ndim == 3 else {}
        apart |= rows or {name: value}
    _, found = rekeyed(model(renamed(ORIGINAL)), model(apart), tmp_path / "out")
    assert_same(apart, found)


def test_a_stack_that_lacks_an_expert_is_missing_as_a_whole(tmp_path):
    apart = {foreign(name): value for name, value in ORIGINAL.items() if value.ndim != 3}
    for layer in range(4):
        apart |= {f"e{layer}{n}": ORIGINAL[f"model.layers.{layer}.experts.up"][n] for n in (0, 2)}
    plan = plan_rekeying(model(apart), ORIGINAL_MODEL)
    missing = {each.name: each.reason for each in plan.missing}
    assert missing == {
        f"model.layers.{n}.experts.up": "1 of its 3 slices have no partner" for n in range(4)
    }
    assert {each.name for each in plan.left_out} == {f"e{i}{n}" for i in range(4) for n in (0, 2)}


def test_upcycled_experts_that_differ_a_little_go_back_to_their_own_places(tmp_path):
    rng = np.random.default_rng(5)
    upcycled = {
        name: (value[:1] + rng.normal(0, 0.01, value.shape)).astype(np.float32)
        if value.ndim == 3
        else value
        for name, value in ORIGINAL.items()
    }
    copy = noised({k: v for k, v in upcycled.items() if v.size > SIZE}, 1 / 708)
    _, found = rekeyed(model(renamed(copy)), model(upcycled), tmp_path / "out")
    for name, value in copy.items():
        assert found[name].tobytes() == value.tobytes(), name


def test_of_equally_noised_copies_of_one_matrix_none_is_chosen():
    name = "model.layers.2.attn.q.weight"
    first, second = (noised({name: ORIGINAL[name]}, seed=seed)[name] for seed in (7, 8))
    opaque = {f"t{n}": v for n, (k, v) in enumerate(ORIGINAL.items()) if k != name}
    plan = plan_rekeying(model({**opaque, "x": first, "y": second}), ORIGINAL_MODEL)
    assert {each.name: each.reason for each in plan.missing} == {
        name: "ambiguous: several tensors of the suspect may be it"
    }
    assert {each.name for each in plan.left_out} == {"x", "y"}


def test_a_repeated_layer_of_the_suspect_is_written_once_and_listed(tmp_path):
    repeated = {**renamed(ORIGINAL), "extra": ORIGINAL["model.layers.2.attn.q.weight"]}
    plan, found = rekeyed(model(repeated), ORIGINAL_MODEL, tmp_path / "out")
    assert_same(ORIGINAL, found)
    (left,) = plan.left_out
    assert left.reason == "it repeats another tensor of the suspect"


@pytest.mark.parametrize("how", ["one storage", "two storages"])
def test_what_the_original_holds_twice_is_written_twice(tmp_path, how):
    if how == "one storage":
        original = model(ORIGINAL, tied={"head.weight": "model.embed.weight"})
    else:
        original = model({**ORIGINAL, "head.weight": ORIGINAL["model.embed.weight"]})
    plan, found = rekeyed(model(renamed(ORIGINAL)), original, tmp_path / "out")
    assert_same({**ORIGINAL, "head.weight": ORIGINAL["model.embed.weight"]}, found)
    tied = {each.name for each in plan.tensors if each.found_by == "tied"}
    assert len(tied) == 1
    assert tied <= {"head.weight", "model.embed.weight"}


def with_embedding(value: np.ndarray) -> Weights:
    return {**ORIGINAL, "model.embed.weight": value}


NEW_ROWS = np.random.default_rng(9).normal(0, 0.05, (8, SIZE)).astype(np.float32)


def test_added_words_are_cut_off_and_said(tmp_path):
    longer = with_embedding(np.concatenate([ORIGINAL["model.embed.weight"], NEW_ROWS]))
    plan, found = rekeyed(model(renamed(longer)), ORIGINAL_MODEL, tmp_path / "out")
    assert_same(ORIGINAL, found)
    cut = {each.name: each.rows_cut for each in plan.tensors if each.rows_cut}
    assert cut == {"model.embed.weight": 8}


@pytest.mark.parametrize("place", [280, 299])
def test_words_inserted_in_between_are_reported_not_cut(place):
    old = ORIGINAL["model.embed.weight"]
    plan = plan_rekeying(
        model(renamed(with_embedding(np.concatenate([old[:place], NEW_ROWS, old[place:]])))),
        ORIGINAL_MODEL,
    )
    (missing,) = plan.missing
    assert missing.name == "model.embed.weight"
    assert "has other rows: shape (308, 96), not (300, 96)" in missing.reason


def test_fewer_words_are_reported_with_both_shapes():
    plan = plan_rekeying(
        model(renamed(with_embedding(ORIGINAL["model.embed.weight"][:290]))), ORIGINAL_MODEL
    )
    (missing,) = plan.missing
    assert "has shape (290, 96), not (300, 96)" in missing.reason


def test_a_folded_shape_is_written_as_the_original_shapes_it(tmp_path):
    name = "model.layers.0.attn.q.weight"
    folded = {**ORIGINAL, name: ORIGINAL[name].reshape(1, SIZE, SIZE)}
    _, found = rekeyed(model(renamed(folded)), ORIGINAL_MODEL, tmp_path / "out")
    assert_same(ORIGINAL, found)


def test_what_either_side_lacks_is_listed(tmp_path):
    suspect = {n: v for n, v in renamed(ORIGINAL).items() if ".blk.1." not in n}
    new = np.random.default_rng(3).normal(size=(SIZE, SIZE)).astype(np.float32)
    steps = (np.arange(9), "I64")
    plan, found = rekeyed(
        model({**suspect, "llm.extra": new, "steps": steps}),
        model({**ORIGINAL, "positions": steps}),
        tmp_path / "out",
    )
    lacking = {name for name in ORIGINAL if ".layers.1." in name}
    assert {each.name for each in plan.missing} == lacking | {"positions"}
    assert {each.name: each.reason for each in plan.left_out} == {
        "llm.extra": "nothing in the original resembles it",
        "steps": "I64 holds no weights",
    }
    assert found.keys() == ORIGINAL.keys() - lacking


def test_which_of_several_equal_vectors_is_lacking_is_told_by_its_layer():
    zeros = {f"model.layers.{n}.attn.q.offset": np.zeros(SIZE, np.float32) for n in range(4)}
    whole = {**ORIGINAL, **zeros}
    suspect = {name: value for name, value in renamed(whole).items() if ".blk.1." not in name}
    del suspect["llm.trunk.zeros"]
    plan = plan_rekeying(model(suspect), model(whole))
    expected = {name for name in whole if ".layers.1." in name} | {"model.zeros"}
    assert {each.name for each in plan.missing} == expected


def test_a_stranger_has_no_rename_map():
    with pytest.raises(UsageError, match="No common origin"):
        plan_rekeying(model(transformer(seed=99)), ORIGINAL_MODEL)


# What the command does around it.


def run(*arguments: object):
    return CliRunner().invoke(main, [str(each) for each in arguments])


@pytest.fixture
def folders(tmp_path):
    original, suspect = tmp_path / "original", tmp_path / "suspect"
    for folder, weights in ((original, ORIGINAL), (suspect, renamed(ORIGINAL))):
        folder.mkdir()
        save_file(weights, folder / "model.safetensors")
    (original / "config.json").write_text('{"model_type": "bert"}')
    (original / "tokenizer.json").write_text("{}")
    for name in ("modeling_evil.py", "weights.pkl", "tokenizer.py", "tokenizer.pkl"):
        (original / name).write_text("raise SystemExit")
    return original, suspect, tmp_path / "out"


def test_the_command_writes_a_folder_with_config_and_tokenizer_and_no_code(folders):
    original, suspect, out = folders
    done = run("rekey", suspect, "--like", original, "-o", out)
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert (out / "config.json").read_text() == '{"model_type": "bert"}'
    assert_same(ORIGINAL, load_file(out / "model.safetensors"))
    assert f"{len(ORIGINAL)} tensors written" in done.output


def test_long_and_empty_companions_are_copied_whole(folders):
    original, suspect, out = folders
    long = np.random.default_rng(0).bytes(33_000_000)
    (original / "tokenizer.json").write_bytes(long)
    (original / "vocab.txt").write_bytes(b"")
    assert run("rekey", suspect, "--like", original, "-o", out).exit_code == 0
    assert (out / "tokenizer.json").read_bytes() == long
    assert (out / "vocab.txt").read_bytes() == b""


def test_a_dry_run_says_the_same_and_writes_nothing(folders):
    original, suspect, out = folders
    before = sorted(out.parent.rglob("*"))
    done = run("rekey", suspect, "--like", original, "-o", out, "--dry-run", "--json")
    assert done.exit_code == 0, done.output
    assert sorted(out.parent.rglob("*")) == before
    promised = json.loads(done.output)
    assert promised["dry_run"] is True
    assert run("rekey", suspect, "--like", original, "-o", out).exit_code == 0
    assert promised["files"] == [
        {"file": path.name, "bytes": path.stat().st_size} for path in out.glob("*.safetensors")
    ]
    assert {each["name"] for each in promised["tensors"]} == ORIGINAL.keys()
    assert promised["companions"] == ["config.json", "tokenizer.json"]


def test_a_folder_with_something_in_it_is_left_alone(folders):
    original, suspect, out = folders
    out.mkdir()
    (out / "mine").write_text("precious")
    done = run("rekey", suspect, "--like", original, "-o", out)
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert [path.name for path in out.iterdir()] == ["mine"]


def test_a_full_disk_is_noticed_before_anything_is_written(folders, monkeypatch):
    original, suspect, out = folders
    monkeypatch.setattr(output_folder, "SPARE_BYTES", 10**18)
    done = run("rekey", suspect, "--like", original, "-o", out)
    assert done.exit_code == 1
    assert "are free on the disk" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize("source", ["./nowhere.safetensors", "fingerprint"])
def test_a_source_without_weights_is_refused(folders, source, tmp_path):
    original, suspect, out = folders
    if source == "fingerprint":
        source = tmp_path / "f.safetensors"
        assert run("fingerprint", suspect, "-o", source).exit_code == 0
    done = run("rekey", source, "--like", original, "-o", out)
    assert done.exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize("ending", [KeyboardInterrupt, KinprintError("cut")])
def test_whatever_ends_it_early_leaves_nothing_behind(tmp_path, ending):
    plan = plan_rekeying(model(renamed(ORIGINAL)), ORIGINAL_MODEL)

    class Ending(MemoryCheckpoint):
        def read(self, spans):
            yield from list(super().read(spans))[:3]
            raise ending

    with pytest.raises((KeyboardInterrupt, KinprintError)):
        write_rekeyed(Ending(renamed(ORIGINAL)), ORIGINAL_MODEL.checkpoint, plan, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_symlinked_config_that_leaves_the_folder_is_not_copied(folders, tmp_path):
    original, suspect, out = folders
    (tmp_path / "secret").write_text("secret")
    (original / "config.json").unlink()
    (original / "config.json").symlink_to(tmp_path / "secret")
    done = run("rekey", suspect, "--like", original, "-o", out)
    assert done.exit_code == 1
    assert "a symlink leaves the folder" in done.stderr
    assert not out.exists()


def test_several_models_in_one_folder_are_refused_as_the_original(tmp_path):
    for part in ("unet", "vae"):
        (tmp_path / "all" / part).mkdir(parents=True)
        save_file(ORIGINAL, tmp_path / "all" / part / "diffusion_pytorch_model.safetensors")
    done = run("rekey", tmp_path / "all" / "vae", "--like", tmp_path / "all", "-o", tmp_path / "o")
    assert done.exit_code == 2
    assert "several models (unet, vae)" in done.stderr


def test_hostile_keys_of_the_original_become_names_and_never_paths(tmp_path):
    hostile = {f"../../{name}/\x1b[31m": value for name, value in ORIGINAL.items()}
    _, found = rekeyed(model(renamed(ORIGINAL)), model(hostile), tmp_path / "out")
    assert_same(hostile, found)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
