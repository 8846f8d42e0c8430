# SPDX-License-Identifier: Apache-2.0
"""What a learned predictor is compared with.

=====================  ======================================  ===========================================
solver                 class                                   what it knows
=====================  ======================================  ===========================================
trivial_bound          bound.TrivialBound                      widths of the core, from its maker's manual
llvm_mca               mca.LlvmMca                             LLVM's scheduling model, simulated
llvm_mca_rthroughput   mca.LlvmMca("rthroughput")              the same, without dependencies
osaca                  osaca.Osaca                             OSACA's port model and dependency analysis
mean_opcode            opcodes.OpcodeCosts ("mean_opcode")     labels: a mean for each opcode
linear                 opcodes.OpcodeCosts ("linear")          labels: regression on opcode counts
boosted_counts         boosted.BoostedCounts                   labels: trees on opcode counts and sizes
boosted_mca            boosted.BoostedCounts                   the same, and what llvm-mca says of the block
ithemal                learned.networks.Network ("ithemal")    labels: LSTM over tokens, LSTM over these
granite                learned.networks.Network ("granite")    labels: graph network on dependencies
=====================  ======================================  ===========================================
"""
