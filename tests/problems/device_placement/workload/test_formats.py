# SPDX-License-Identifier: Apache-2.0
"""Public formats by hand-made files, their data sets where they are here, and files that somebody made to do harm."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.device_placement.problem import PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import engine
from trimtab.problems.device_placement.simulator.pack import pack
from trimtab.problems.device_placement.workload import doppler, files, parse, pipedream, piper, tarnawski
from trimtab.problems.device_placement.workload.archives import read_members
from trimtab.problems.device_placement.workload.building import GraphBuilder
from trimtab.problems.device_placement.workload.suites import SUITES

from ..made import graph_of

TARNAWSKI = {
    "maxSizePerFPGA": 100.0, "maxFPGAs": 2, "maxCPUs": 1,
    "nodes": [
        {"id": 5, "name": "a", "supportedOnFpga": 1, "cpuLatency": 20.0, "fpgaLatency": 2.0, "isBackwardNode": 0,
         "colorClass": 1, "size": 30.0},
        {"id": 6, "name": "b", "supportedOnFpga": 0, "cpuLatency": 4.0, "fpgaLatency": 9.0, "isBackwardNode": 0,
         "size": 10.0},
        {"id": 7, "name": "c", "supportedOnFpga": 1, "cpuLatency": 8.0, "fpgaLatency": 1.0, "isBackwardNode": 1,
         "colorClass": 1, "size": 20.0},
    ],
    "edges": [{"sourceId": 5, "destId": 6, "cost": 0.5, "size": 1000.0}, {"sourceId": 6, "destId": 7, "cost": 0.25}],
}  # fmt: skip


def test_tarnawski() -> None:
    instance = tarnawski.read(json.dumps(TARNAWSKI).encode(), "small")
    graph = instance.graph
    assert graph.compute_s.tolist() == [[0.002, 0.02], [np.inf, 0.004], [0.001, 0.008]]
    assert graph.tensor_bytes.tolist() == [1000.0, 500.0]  # 0.5 ms is 1000 B, so 0.25 ms is 500 B
    assert graph.colocation[0] == graph.colocation[2] != graph.colocation[1]
    assert graph.is_backward.tolist() == [False, False, True]
    assert instance.topology.pays_transfers.tolist() == [True, True, False]
    # ops 0 and 2 on an accelerator with both transfers, op 1 on the CPU, which pays none
    loads = engine.loads(pack(instance), np.array([0, 2, 0], np.int32))
    assert loads == pytest.approx([0.003 + 0.0005 + 0.00025, 0.0, 0.004])


def test_experts_beat_one_device_by_what_is_published(public_data: Path) -> None:
    """bert24 training: the experts' split has max-load 49.40 ms, one device takes 217.8 ms."""
    members = read_members(public_data / "graphs" / "dnn-partitioning" / "inputs.tar.xz", ".json")
    instance = tarnawski.read(members["throughput-inputs/LayerGraphs/bert24_training.json"], "bert24")
    expert = tarnawski.device_of_experts(members["human-experts/bert24_training_expert.json"], instance)
    packed = pack(instance)
    assert round(1e3 * engine.loads(packed, expert.astype(np.int32)).max(), 2) == 49.40
    assert round(1e3 * engine.loads(packed, np.zeros(64, np.int32)).max(), 1) == 217.8


def test_pipedream() -> None:
    text = (
        "node1 -- Conv2d(3, 8) -- forward_compute_time=2.0, backward_compute_time=3.0, activation_size=64.0, "
        "parameter_size=16.0\n"
        "node2 -- LSTM(8, 8) -- forward_compute_time=1.0, backward_compute_time=4.0, "
        "activation_size=[32.0; 8.0], parameter_size=0.0\n"
        "\tnode1 -- node2\n"
    )
    graph = pipedream.read(text.encode(), "two").graph
    assert graph.compute_s[:, 0].tolist() == [0.002, 0.003, 0.001, 0.004]
    assert graph.is_backward.tolist() == [False, True, False, True]
    assert graph.colocation.tolist() == [0, 0, 1, 1]
    read = {(graph.op_name[a], graph.op_name[b]): c for a, b, c in zip(
        graph.sources, graph.edge_op, graph.tensor_bytes[graph.edge_tensor], strict=True)}  # fmt: skip
    assert read == {
        ("node1 Conv2d(3, 8)", "node1 backward"): 64.0,
        ("node1 Conv2d(3, 8)", "node2 LSTM(8, 8)"): 64.0,
        ("node2 LSTM(8, 8)", "node2 backward"): 40.0,
        ("node2 backward", "node1 backward"): 64.0,
    }


def test_doppler() -> None:
    text = "5\n0, 1\n0, 0, 1\n1, 2, 2\n1000,4000\n2000,8000,mm\n3000,12000\n"
    instance = doppler.read(text.encode(), "ffnn_5nodes.txt")
    assert instance.topology.num_devices == 4 and instance.topology.links == "parallel"
    assert instance.graph.compute_s[:, 0] == pytest.approx([1e-9, 2e-9, 3e-9])
    assert list(zip(instance.graph.sources, instance.graph.edge_op, strict=True)) == [(0, 1), (0, 2), (1, 2)]
    assert instance.topology.beta_s_per_B[0, 1] * instance.graph.tensor_bytes[0] == pytest.approx(4e-9)


def test_piper() -> None:
    config = {"id": "vanilla", "timePerSample": 0.25, "memoryUsageA": 3.0, "memoryUsageB": 4.0}
    data = {
        "maxDevices": 10, "maxMemoryPerDevice": 100.0, "bandwidth": 10.0,
        "nodes": [{"id": i, "name": "layer", "TMPCs": {"1": [{"id": "activation recomp"}, config]}} for i in (3, 4)],
        "edges": [{"sourceId": 3, "destId": 4, "communicationCost": 5.0}],
    }  # fmt: skip
    instance = piper.read(json.dumps(data).encode(), "two")
    assert instance.topology.num_devices == 8
    assert instance.graph.param_bytes.tolist() == [7.0, 7.0]
    assert engine.loads(pack(instance), np.array([0, 1], np.int32))[:2] == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize("suite", SUITES)
def test_families_of_public_suites_are_in_one_split_each(public_data: Path, suite: str) -> None:
    families = [{i.graph.family for i in SUITES[suite](split).values()} for split in ("train", "validation", "test")]
    assert families[0] and families[1] and families[2]
    assert not families[0] & families[1] and not families[0] & families[2] and not families[1] & families[2]


def test_graph_files_come_back_whole(tmp_path: Path) -> None:
    graph = graph_of([[1.0, np.inf], [2.0, 3.0]], [(0, 1, 7.0)], colocation=[2, -1])
    topology = homogeneous("two", 2, kind="core", memory_bytes=9.0, bandwidth=3.0, queue="priority")
    files.save(tmp_path / "g.npz", graph, topology, {"note": "ü"})
    again, devices, card = files.load(tmp_path / "g.npz")
    for name, value in vars(graph).items():
        assert np.array_equal(getattr(again, name), value), name
    assert devices is not None and card == {"note": "ü"}
    for name, value in vars(topology).items():
        assert np.array_equal(getattr(devices, name), value), name
    (name, instance), *_ = parse([tmp_path / "g.npz"]).items()
    assert name == "g" and instance.topology.queue == "priority"


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
def test_damaged_graph_files_are_refused(tmp_path: Path, keep: float) -> None:
    files.save(tmp_path / "g.npz", graph_of([1.0] * 9, [(0, 1, 7.0)]), None, {})
    content = (tmp_path / "g.npz").read_bytes()
    (tmp_path / "g.npz").write_bytes(content[: int(keep * len(content) if keep < 1 else keep)])
    with pytest.raises(InvalidInstance, match=r"g\.npz: not a whole graph file"):
        files.load(tmp_path / "g.npz")


def test_a_graph_file_with_pickles_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", format=np.array(1), card=np.array([{"a": 1}], object))
    with pytest.raises(InvalidInstance, match="not a whole graph file"):
        files.load(tmp_path / "g.npz")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "[1", "not JSON"),
        ("a.json", "{}", "neither a dnn-partitioning file"),
        ("a.json", '{"maxFPGAs": 1, "nodes": [], "edges": []}', r"not a dnn-partitioning file|there are no ops"),
        ("a.json", '{"maxFPGAs": 1, "nodes": [{"id": 1}], "edges": []}', "field 'supportedOnFpga' is missing"),
        ("a.txt", "forward_compute_time=x", "not a PipeDream graph"),
        ("a.txt", "1\n2\n", "not a DOPPLER graph"),
        ("a.txt", "3\n\n0\n9\n1,4\n1,4\n", "op 9, which is not there"),
        ("a.csv", "1", "graphs are read from"),
        ("a.onnx", "nonsense", "not an ONNX model"),
    ],
)
def test_nonsense_gets_one_clear_sentence(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInstance, match=message):
        parse([tmp_path / name])


def test_reading_what_nobody_makes_names_the_op() -> None:
    builder = GraphBuilder("g", ("core",))
    builder.op("x", "x", "mm", [1.0])
    builder.read("t", "x")
    with pytest.raises(InvalidInstance, match="op 'x': reads 't', which nobody makes"):
        builder.build()


@pytest.mark.parametrize("kind", ["link", "absolute", "parent", "fifo"])
def test_hostile_archives_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        info = tarfile.TarInfo({"absolute": "/etc/a.json", "parent": "../a.json"}.get(kind, "a.json"))
        if kind == "link":
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        elif kind == "fifo":
            info.type = tarfile.FIFOTYPE
        archive.addfile(info, io.BytesIO(b""))
    with pytest.raises(InvalidInstance, match=r"leads out of the archive|is a link or a device"):
        read_members(path, ".json")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        info = tarfile.TarInfo("a.json")
        info.size = 5000
        archive.addfile(info, io.BytesIO(bytes(5000)))
    monkeypatch.setattr("trimtab.problems.device_placement.workload.archives.MOST_BYTES", 4000)
    with pytest.raises(InvalidInstance, match="unpacks to more than 4000 bytes"):
        read_members(path, ".json")


def test_not_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz").write_bytes(b"nonsense")
    with pytest.raises(InvalidInstance, match="not a whole tar archive"):
        read_members(tmp_path / "a.tar.xz", ".json")


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    weight = helper.make_tensor("w", kind, [64, 32], [0.0] * 2048)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["y"], name="product"),
            helper.make_node("Reshape", ["y", "s"], ["z"]),
            helper.make_node("Relu", ["z"], ["out"], name="relu"),
        ],
        "small",
        [helper.make_tensor_value_info("x", kind, [16, 64])],
        [helper.make_tensor_value_info("out", kind, [512])],
        [weight, helper.make_tensor("s", onnx.TensorProto.INT64, [1], [512])],
    )
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    (instance,) = parse([tmp_path / "m.onnx"]).values()
    made = instance.graph
    assert made.op_name == ("product", "relu")  # the reshape is a view
    assert made.param_bytes.tolist() == [8192.0, 0.0]
    assert made.tensor_bytes.tolist() == [16 * 32 * 4.0]
    assert isinstance(instance, PlacementInstance)


def test_shipped_graphs_say_where_they_come_from() -> None:
    from trimtab.problems.device_placement.workload.suites import FAMILIES, SHIPPED

    found = sorted(SHIPPED.glob("*.npz"))
    assert len(found) == 29
    for path in found:
        graph, _, card = files.load(path)
        assert card["family"] == graph.family and card["machine"]["cpu"] and card["torch"], path.name
        assert 0.9 < card["coverage"] < 1.1, path.name
        assert graph.compute_s.sum() == pytest.approx(card["whole_s"] * card["coverage"], rel=0.1), (
            path.name
        )  # without views
        assert any(graph.family in families for families in FAMILIES.values())
