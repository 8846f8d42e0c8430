# SPDX-License-Identifier: Apache-2.0
"""The cards of the public data that device_placement can use."""

from __future__ import annotations

from typing import Final

from trimtab.data.catalogue import Dataset, File

XZ: Final = "application/x-xz"

TARNAWSKI: Final = Dataset(
    name="dnn-partitioning",
    version="1",
    description="24 graphs of BERT, GNMT, Inception-v3 and ResNet-50 with 32 to 2,012 nodes: latency on accelerator "
    "and CPU (profiled for layers, estimated for operators), transfer cost, memory, colocation; 6 splits by experts.",
    licence="MIT",
    licence_url="https://github.com/msr-fiddle/dnn-partitioning/blob/master/LICENSE.txt",
    origin="https://github.com/msr-fiddle/dnn-partitioning/tree/b207b6ad",
    provenance="human-experts, latency-inputs, throughput-inputs and LICENSE.txt of that repository, as a tar archive.",
    citation="Tarnawski, Phanishayee, Devanur, Mahajan, Nina Paravecino: Efficient Algorithms for Device Placement of "
    "DNN Graph Operators. NeurIPS 2020. https://arxiv.org/abs/2006.16423",
    creators=("Jakub Tarnawski", "Amar Phanishayee", "Nikhil Devanur", "Divya Mahajan", "Fanny Nina Paravecino"),
    published="2020-10-12",
    files=(
        File("inputs.tar.xz", 113_620, "a180273875c2239dac0082bf9c60cacd50e87ec5b6947eed78682435d116ef7f", XZ,
             "30 JSON files."),
    ),
    stats={"graphs": "24", "nodes": "32 to 2,012", "expert splits": "6"},
)  # fmt: skip

PIPER: Final = Dataset(
    name="piper-inputs",
    version="1",
    description="3 graphs (BERT-32 on A100, GNMT, ResNet-50) with time, memory and synchronisation per degree of "
    "tensor parallelism and with recomputation.",
    licence="MIT",
    licence_url="https://github.com/msr-fiddle/piper/blob/main/LICENSE.txt",
    origin="https://github.com/msr-fiddle/piper/tree/d7fc8cf9",
    provenance="inputs and LICENSE.txt of that repository, as a tar archive.",
    citation="Tarnawski, Narayanan, Phanishayee: Piper: Multidimensional Planner for DNN Parallelization. "
    "NeurIPS 2021. https://proceedings.neurips.cc/paper/2021",
    creators=("Jakub Tarnawski", "Deepak Narayanan", "Amar Phanishayee"),
    published="2021-12-13",
    files=(
        File("inputs.tar.xz", 13_436, "c207c9a11f1dc38db7ede56bdda97db1c8c7806c349937f8f0e703c50bdb4f8b", XZ,
             "3 JSON files."),
    ),
    stats={"graphs": "3", "nodes": "37 to 177"},
)  # fmt: skip

PIPEDREAM: Final = Dataset(
    name="pipedream-profiles",
    version="1",
    description="14 models profiled layer by layer on a GPU: forward and backward time, bytes of activations and "
    "parameters.",
    licence="MIT",
    licence_url="https://github.com/msr-fiddle/pipedream/blob/master/LICENSE.txt",
    origin="https://github.com/msr-fiddle/pipedream/tree/7db6a1c3",
    provenance="profiler/*/profiles/*/graph.txt and LICENSE.txt of that repository, as a tar archive.",
    citation="Narayanan, Harlap, Phanishayee, Seshadri, Devanur, Ganger, Gibbons, Zaharia: PipeDream: Generalized "
    "Pipeline Parallelism for DNN Training. SOSP 2019. https://doi.org/10.1145/3341301.3359646",
    creators=("Deepak Narayanan", "Aaron Harlap", "Amar Phanishayee", "Matei Zaharia"),
    published="2019-10-27",
    files=(
        File("profiles.tar.xz", 45_568, "3fd2880a06c520357354af3e102c220c10783a66ccb1e5292aeadc9881f589d6", XZ,
             "14 graph.txt files. In alexnet, resnet18 and squeezenet1_0 the first layer holds the input pipeline."),
    ),
    stats={"graphs": "14", "layers": "up to 1,251"},
)  # fmt: skip

DOPPLER: Final = Dataset(
    name="doppler-graphs",
    version="1",
    description="10 sharded graphs of matrix chains, feed-forward networks and Llama layers: computation and "
    "communication per node.",
    licence="CC-BY-4.0",
    licence_url="https://creativecommons.org/licenses/by/4.0/",
    origin="https://github.com/xinyuyao/Doppler/tree/04c66de0",
    provenance="compute_graph of that repository, as a tar archive; the licence is that of its README.",
    citation="Yao et al.: DOPPLER: Dual-Policy Learning for Device Assignment in Asynchronous Dataflow Graphs. "
    "ICLR 2026. https://arxiv.org/abs/2505.23131",
    creators=("Xinyu Yao",),
    published="2026-03-07",
    files=(
        File("compute_graph.tar.xz", 3_096, "8645ecfa59696084c4a23de53faf0f44faf9e920c35912269c3268d611801e83", XZ,
             "10 text files."),
    ),
    stats={"graphs": "10", "nodes": "76 to 367"},
)  # fmt: skip

DATASETS: Final = (TARNAWSKI, PIPER, PIPEDREAM, DOPPLER)
