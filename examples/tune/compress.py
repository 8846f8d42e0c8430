# SPDX-License-Identifier: Apache-2.0
"""Packs a text with zlib, and prints how large that is."""

import random
import sys
import zlib

STRATEGIES = {"default": 0, "filtered": 1, "huffman": 2, "rle": 3, "fixed": 4}

level, window, memory, strategy = sys.argv[1:]
draw = random.Random(0)
words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(2000)]
text = " ".join(draw.choices(words, weights=[1 / k for k in range(1, 2001)], k=400_000)).encode()
packer = zlib.compressobj(int(level), zlib.DEFLATED, int(window), int(memory), STRATEGIES[strategy])
print("bytes =", len(packer.compress(text) + packer.flush()))
