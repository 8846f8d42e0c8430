# SPDX-License-Identifier: Apache-2.0
"""What the tools print, read: on pieces of the real thing, kept short."""

from __future__ import annotations

import math

from trimtab.problems.runtime_tuning.packs import clang, gcc, jvm, xz

GCC = """The following options control optimizations:
  -O<number>                  \t\t
  -faggressive-loop-optimizations \t[enabled]
  -falign-functions=          \t\t16
  -fallow-store-data-races    \t\t[disabled]
  -ffp-contract=[off|on|fast] \t\tfast
  -fira-region=[one|all|mixed] \t\tone
  -fpack-struct=<number>      \t\t
  -fvect-cost-model=[unlimited|dynamic|cheap|very-cheap] \tvery-cheap
"""
PARAMS = """The following options control parameters:
  --param=align-threshold=<1,65536> \t\t100
  --param=evrp-mode=          \t\tranger
  --param=max-unroll-times=   \t\t8
  --param=prefetch-minimum-stride= \t-1
"""
JAVA = """[Global flags]
     bool AlwaysPreTouch                           = false                                     {product} {default}
     intx BackEdgeThreshold                        = 100000                                 {pd product} {default}
   double EscapeAnalysisTimeout                    = 20.000000                              {C2 product} {default}
     bool BytecodeVerificationRemote               = true                                  {diagnostic} {default}
   size_t ShenandoahTargetNumRegions               = 2048                                {experimental} {default}
    ccstr HeapDumpPath                             =                                       {manageable} {default}
     intx MaxInlineSize                           := 40                                     {C2 product} {command line}
openjdk version "17.0.15" 2025-04-15
"""
RANGES = """[Global flags ranges]
     intx TieredStopAtLevel                        [ 0                         ... 4 ] {product} {default}
      int ActiveProcessorCount                     [                           ... ] {product} {default}
   double EscapeAnalysisTimeout                    [ 0.000                     ... 1000.000 ]  {C2 product} {default}
"""
XZ = """  --lzma2[=OPTS]      more of the following options (valid values; default):
                        preset=PRE reset options to a preset (0-9[e])
                        dict=NUM   dictionary size (4KiB - 1536MiB; 8MiB)
                        lc=NUM     number of literal context bits (0-4; 3)
                        lp=NUM     number of literal position bits (0-4; 0)
                        mode=MODE  compression mode (fast, normal; normal)
                        nice=NUM   nice length of a match (2-273; 64)
                        mf=NAME    match finder (hc3, hc4, bt2, bt3, bt4; bt4)
                        depth=NUM  maximum search depth; 0=automatic (default)
"""
LLVM = """  --enable-gvn-hoist                                                          = 0        (default: 0)
  --inline-threshold                                                          = 250      (default: 225)
  --openmp-ir-builder-unroll-threshold-factor                                 = 1.500000e+00 (default: 1.500000e+00)
    --regalloc                                                                  = default  (default: default)
"""


def test_flags_of_gcc():
    found = {option.name: option for option in gcc.flags(GCC)}
    assert set(found) == {
        "aggressive-loop-optimizations", "allow-store-data-races", "fp-contract", "ira-region", "vect-cost-model",
    }  # fmt: skip
    assert found["vect-cost-model"].value == "very-cheap"
    assert found["ira-region"].choices == ("one", "all", "mixed")


def test_parameters_of_gcc():
    found = {option.name: option for option in gcc.parameters(PARAMS)}
    assert (found["align-threshold"].low, found["align-threshold"].high) == (1, 65536)
    assert found["max-unroll-times"].high == math.inf
    assert found["evrp-mode"].value == "ranger"


def test_what_a_jvm_wants_unlocked_is_not_on_offer():
    found = {flag.name: flag for flag in jvm.printed(JAVA)}
    assert set(found) == {
        "AlwaysPreTouch",
        "BackEdgeThreshold",
        "EscapeAnalysisTimeout",
        "HeapDumpPath",
        "MaxInlineSize",
    }
    assert found["MaxInlineSize"].value == "40"  # as the command line sets it
    assert "C2" in found["MaxInlineSize"].marks


def test_ranges_of_a_jvm():
    assert dict(jvm.ranges(RANGES)) == {"TieredStopAtLevel": (0, 4), "EscapeAnalysisTimeout": (0, 1000)}


def test_options_of_xz():
    found = {knob.name: knob for knob in xz.options(XZ)}
    assert set(found) == {"dict", "lc", "lp", "mode", "nice", "mf", "depth"}
    assert (found["dict"].low, found["dict"].default) == (12, 23)
    assert found["nice"].high == 273
    assert found["mf"].values == ("hc3", "hc4", "bt2", "bt3", "bt4")
    assert found["depth"].special == (0,)


def test_numbers_of_llvm():
    assert dict(clang.options(LLVM)) == {"enable-gvn-hoist": 0, "inline-threshold": 250}
