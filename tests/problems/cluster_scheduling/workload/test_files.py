# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.problems.cluster_scheduling.problem import JobProfile
from trimtab.problems.cluster_scheduling.workload.files import card_path, load_card, load_profiles, save_profiles


def chain(stages: int, levels: int, name: str = "job", *, scale: float = 1.0) -> JobProfile:
    """A chain of stages; every (stage, level, wave) has a range of two durations of its own."""
    ranges = np.arange(stages * levels * 3).reshape(stages, levels, 3)
    return JobProfile(
        name=name,
        group=name.partition("-")[0],
        num_tasks=np.arange(1, stages + 1),
        edges=np.array([(s, s + 1) for s in range(stages - 1)], np.int64).reshape(-1, 2),
        levels=np.arange(1, levels + 1),
        durations=np.arange(stages * levels * 6) * scale,
        offsets=np.stack((2 * ranges, 2 * ranges + 2), axis=-1),
    )


def same(a: JobProfile, b: JobProfile) -> bool:
    fields = ("num_tasks", "edges", "levels", "durations", "offsets")
    return (a.name, a.group) == (b.name, b.group) and all(
        np.array_equal(getattr(a, f), getattr(b, f)) and getattr(a, f).dtype == getattr(b, f).dtype for f in fields
    )


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=5), st.sampled_from([1.0, 0.25]))
@settings(max_examples=25, deadline=None)
def test_what_is_saved_is_loaded(tmp_path_factory, shapes, scale):
    path = tmp_path_factory.mktemp("files") / "profiles.npz"
    profiles = [chain(s, n, f"job{i}-é", scale=scale) for i, (s, n) in enumerate(shapes)]
    save_profiles(path, profiles, {})
    assert all(same(a, b) for a, b in zip(load_profiles(path), profiles, strict=True))


def test_what_only_some_profiles_have_is_kept(tmp_path: Path):
    extra = {"measured_mean_ms": np.array([1.5, 2.5, 3.5]), "driver": np.array([True, False, False])}
    profiles = [chain(2, 1, "a"), replace(chain(3, 1, "b"), **extra)]
    save_profiles(tmp_path / "p.npz", profiles, {})
    a, b = load_profiles(tmp_path / "p.npz")
    assert a.measured_mean_ms is None
    assert b.measured_mean_ms is not None
    assert b.measured_mean_ms.tolist() == [1.5, 2.5, 3.5]
    assert a.driver is None
    assert b.driver is not None
    assert b.driver.tolist() == [True, False, False]


def test_whole_milliseconds_are_stored_narrow(tmp_path: Path):
    for scale, dtype in ((1.0, np.uint32), (0.5, np.float64)):
        save_profiles(tmp_path / "p.npz", [chain(2, 1, scale=scale)], {})
        with np.load(tmp_path / "p.npz") as stored:
            assert stored["durations"].dtype == dtype


def test_card_has_the_sha256(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_profiles(path, [chain(2, 1)], {"title": "a test"})
    card = load_card(path)
    assert card["title"] == "a test"
    assert card["profiles"] == 1
    assert card["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.card.json", "p.npz"]


def test_the_same_profiles_make_the_same_bytes(tmp_path: Path):
    for name in "ab":
        save_profiles(tmp_path / f"{name}.npz", [chain(2, 1)], {})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failing_write_keeps_the_old_file(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_profiles(path, [chain(2, 1)], {})
    before = path.read_bytes(), card_path(path).read_bytes()
    with pytest.raises(InvalidInstance, match="no profiles"):
        save_profiles(path, [], {})
    with pytest.raises(TypeError):
        save_profiles(path, [chain(1, 1)], {"not json": object()})
    assert before == (path.read_bytes(), card_path(path).read_bytes())
    assert len(list(tmp_path.iterdir())) == 2


def stored(tmp_path: Path, **changes) -> Path:
    """A good file of the jobs 'a' and 'b', with some arrays replaced."""
    path = tmp_path / "p.npz"
    save_profiles(path, [chain(2, 1, "a"), chain(3, 1, "b")], {})
    with np.load(path) as good:
        np.savez_compressed(path.with_name("bad.npz"), **{**good, **changes})
    return path.with_name("bad.npz")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": np.array(99)}, ["'format'", "99"]),
        ({"durations": np.full(30, np.nan)}, ["'a'", "'durations'", "NaN"]),
        ({"durations": np.full(30, -1.0)}, ["'a'", "'durations'", "negative"]),
        ({"durations_count": np.array([12, 17])}, ["'b'", "'durations'", "29"]),
        ({"durations_count": np.array([2**62, 2**62])}, ["'a'", "'durations'"]),
        ({"num_tasks_count": np.array([-1, 6])}, ["'a'", "num_tasks_count", "negative"]),
        ({"num_tasks_count": np.array([3, 2])}, ["'a'", "'offsets'"]),
        ({"num_tasks": np.array([1, 2, 1, 0, 1])}, ["'b'", "'num_tasks'", "stage 1 has 0"]),
        ({"edges": np.array([(0, 1), (0, 1), (1, 0)])}, ["'b'", "'edges'", "cycle"]),
        ({"edges": np.array([(0, 1), (0, 1), (1, 9)])}, ["'b'", "'edges'"]),
        ({"edges": np.zeros((3, 3), int)}, ["'edges'", "shape"]),
        ({"levels": np.array([1.0, 1.0])}, ["'levels'", "type"]),
        ({"group": np.array(["a"])}, ["'group'"]),
        ({"name": np.array([1, 2])}, ["'name'"]),
        ({"measured_mean_ms": np.ones(1), "measured_mean_ms_count": np.array([1, 0])}, ["'a'", "measured_mean_ms"]),
    ],
)
def test_a_damaged_field_is_named(tmp_path: Path, changes, words):
    with pytest.raises(InvalidInstance) as raised:
        load_profiles(stored(tmp_path, **changes))
    for word in words:
        assert word in str(raised.value)


def test_pickles_are_refused(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_profiles(path, [chain(1, 1)], {})
    with np.load(path) as good:
        np.savez(path, **{**good, "name": np.array([{"a": 1}], object)})
    with pytest.raises(InvalidInstance, match="name has the type object"):
        load_profiles(path)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_is_one_clear_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "p.npz"
    save_profiles(path, [chain(2, 2)], {})
    good = path.read_bytes()
    if data.draw(st.booleans()):
        path.write_bytes(good[: data.draw(st.integers(0, len(good) - 1))])
    else:
        at = data.draw(st.integers(0, len(good) - 1))
        path.write_bytes(good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :])
    try:
        loaded = load_profiles(path)
    except InvalidInstance as error:
        assert str(path) in str(error)
    else:  # the flipped byte was one that nobody reads (a date, say)
        assert same(loaded[0], chain(2, 2))


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path):
    path = tmp_path / "p.npz"
    save_profiles(path, [chain(1, 1)], {})
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["durations.npy"] = members["durations.npy"].replace(b"(6,), }           ", b"(999999999999,), }")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(InvalidInstance, match="not a whole profile file"):
        load_profiles(path)


def test_missing_file_and_card(tmp_path: Path):
    with pytest.raises(InvalidInstance, match="no such file"):
        load_profiles(tmp_path / "none.npz")
    with pytest.raises(InvalidInstance, match="can't be read"):
        load_card(tmp_path / "none.npz")
    (tmp_path / "x.card.json").write_text(json.dumps([1]))
    with pytest.raises(InvalidInstance, match="not a JSON object"):
        load_card(tmp_path / "x.npz")
    with pytest.raises(InvalidInstance, match=r"\.npz"):
        save_profiles(tmp_path / "x.npy", [chain(1, 1)], {})
