# SPDX-License-Identifier: Apache-2.0
"""Where learning starts: what is usual for a kind of instruction on a wide x86 core.

Round figures of the public optimisation guides (AMD, Software Optimization Guide for
the Zen 4 microarchitecture, 57647, section 2.9 to 2.12; Fog, Instruction tables). What
a CPU really does is learned from its measurements; a form that was never measured
keeps these.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need

from .columns import FIELDS, HOLD, KIND, KINDS_, LATENCY, PORTS, SLOTS, UOPS

Ints = NDArray[np.int32]

# Ports, as bits.
# ALU and AGU: what the widest core has; the machine's PRESENT says how many of these a core has.
ALU, AGU, STORES, FPU, FP_STORES = 0b111111, 0b1111 << 6, 0b11 << 10, 0b1111 << 12, 0b11 << 16
A0, A1, A2, A3 = (1 << bit for bit in range(4))
F0, F1, F2, F3 = (1 << bit for bit in range(12, 16))
VARIANTS: Final = 4  # of a code: without and with memory, each without and with an index
SLOT: Final = 4  # quarters of an instruction's place in dispatch

#: mnemonic (without a VEX "V") -> latency, uops, ports, hold. The first that matches.
_RULES: Final[tuple[tuple[str, int, int, int, int], ...]] = (
    (r"NOP|ENDBR64|PREFETCH.*|LEAVE", 1, 0, ALU, 1),
    (r"IDIV|DIV", 9, 1, A2, 5),
    (r"MUL|MULX", 3, 2, A1, 1),
    (r"IMUL|CRC32|PDEP|PEXT", 3, 1, A1, 1),
    (r"SH[LR]D", 4, 4, A1 | A2, 1),
    (r"RC[LR]", 3, 4, A1 | A2, 1),
    (r"SHL|SHR|SAR|SAL|ROL|ROR|SHLX|SHRX|SARX|RORX", 1, 1, A1 | A2, 1),
    (r"CMOV.*|SET.*|ADC|SBB|ADCX|ADOX|LAHF|SAHF", 1, 1, A0 | A3, 1),
    (r"BT[CRS]", 2, 2, A1 | A2, 1),
    (r"BSF|BSR", 1, 1, A1 | A2, 1),
    (r"TZCNT|BLS.*", 1, 1, A1 | A2, 1),
    (r"BSWAP|POPCNT|LZCNT", 1, 1, ALU, 1),
    (r"XCHG|XADD|CMPXCHG", 2, 3, ALU, 1),
    (r"CMPXCHG16B|CMPXCHG8B", 10, 18, ALU, 1),
    (r"MFENCE", 50, 1, STORES, 55),
    (r"LFENCE|SFENCE", 20, 1, STORES, 5),
    (r"(MOVS|STOS|LODS|SCAS|CMPS)[BWDQ]", 3, 3, ALU, 1),
    (r"AES.*", 4, 1, F0 | F1, 1),
    (r"PCLMUL.*", 4, 1, F0, 2),
    (r"SHA256RNDS2|SHA1RNDS4", 5, 1, F0, 2),
    (r"SHA.*", 2, 1, F0 | F1, 1),
    (r"DIVSS|DIVPS", 11, 1, F1, 3),
    (r"DIVSD|DIVPD", 13, 1, F1, 5),
    (r"SQRTSS|SQRTPS", 15, 1, F1, 5),
    (r"SQRTSD|SQRTPD", 21, 1, F1, 9),
    (r"R(CP|SQRT)(14)?[SP][SD]", 4, 1, F0 | F1, 1),
    (r"FN?M(ADD|SUB).*", 4, 1, F0 | F1, 1),
    (r"MUL[SP][SD]", 3, 1, F0 | F1, 1),
    (r"(ADD|SUB|ADDSUB)[SP][SD]|ROUND.*|RNDSCALE.*", 3, 1, F2 | F3, 1),
    (r"H(ADD|SUB)P[SD]", 7, 4, F2 | F3, 1),
    (r"DPP[SD]", 11, 8, FPU, 1),
    (r"(MIN|MAX|CMP)[SP][SD]|CMP.*[SP][SD]", 1, 1, F0 | F1, 1),
    (r"U?COMIS[SD]", 4, 2, F2 | F3, 1),
    (r"CVT.*2[SU]I.*", 7, 2, F2 | F3, 1),
    (r"CVT[SU]I2S[SD]", 4, 2, F2 | F3, 1),
    (r"CVT.*", 4, 1, F2 | F3, 1),
    (r"PMUL.*|PMADD.*|PSADBW|MPSADBW", 3, 1, F0 | F3, 1),
    (r"MOV(D|Q)|PEXTR.|EXTRACTPS|(P?MOVMSK.*)", 2, 1, F1 | F2, 1),
    (r"PINSR.", 2, 2, F1 | F2, 1),
    (r"PS[LR][LA].*|PSHLD.*|PROL.*|PROR.*", 1, 1, F1 | F2, 1),
    (r"P?SHUF.*|PALIGNR|P?UNPCK.*|PACK.*|P(UN)?PCK.*|INSERTPS|MOV[LH]*(DUP|LHPS|HLPS)", 1, 1, F1 | F2, 1),
    (r"MOVDDUP|PERMIL.*|P?BROADCAST.*|PMOV[SZ]X.*|MOVS[LH]DUP", 1, 1, F1 | F2, 1),
    (r"PERM2.*|PERM.*|EXTRACT[FI].*|INSERT[FI].*|BROADCAST[FI].*", 3, 1, F1 | F2, 1),
    (r"P?BLEND.*", 1, 1, FPU, 1),
    (r"PCMP.STR.*", 8, 6, F1 | F2, 1),
    (r"PTEST|TESTP[SD]", 4, 2, F1 | F2, 1),
    (r"PHADD.*|PHSUB.*", 3, 3, FPU, 1),
    (r"F(DIV|IDIV).*", 15, 1, F1, 6),
    (r"FSQRT|FPREM.*|FSIN|FCOS|FPATAN|FYL2X.*|F2XM1|FSCALE|FPTAN", 40, 8, F1, 4),
    (r"FMUL.*|FADD.*|FSUB.*|FIADD.*|FIMUL.*|FISUB.*", 6, 1, F0 | F1, 1),
    (r"F[A-Z].*", 1, 1, FPU, 1),
    (r"K[A-Z]+.*", 1, 1, F2 | F3, 1),
    (r".*GATHER.*", 20, 24, FPU, 1),
    (r".*SCATTER.*", 20, 48, FPU, 1),
    (r"ZEROUPPER", 1, 1, FPU, 1),
)  # fmt: skip


#: What the boosted residual counts: mnemonic without a VEX "V", of general registers (0) or vectors (1).
KINDS: Final[tuple[tuple[str, int], ...]] = (
    ("NOP|ENDBR64", 0), ("MOV(ZX|SX|SXD)?", 0), ("LEA", 0), ("PUSH.*", 0), ("POP|POPF?[QWD]?", 0),
    ("ADD|SUB|AND|OR|XOR|INC|DEC|NEG|NOT|CMP|TEST", 0), ("SHL|SHR|SAR|ROL|ROR|SHLX|SHRX|SARX|RORX|SH[LR]D|RC[LR]", 0),
    ("IMUL|MUL|MULX", 0), ("IDIV|DIV", 0), ("CMOV.*", 0), ("SET.*", 0), ("ADC|SBB|ADCX|ADOX", 0),
    ("BT|BT[SRC]|BS[FR]|[TL]ZCNT|POPCNT|BLS.*|BSWAP|ANDN|BEXTR|BZHI|PDEP|PEXT", 0),
    ("C[BWDQ][WDQO]E?|CWD|CDQ|CQO|CLC|STC|CLD|LAHF|SAHF", 0), ("XCHG|XADD|CMPXCHG.*", 0),
    ("(MOVS|STOS|LODS|SCAS|CMPS)[BWDQ]", 0), ("PREFETCH.*|[LMS]FENCE|CLFLUSH.*", 0), (".*", 0),
    ("MOV[AUDNH].*|MOVQ|MOVSS|MOVSD|MOV[LH]P.|LDDQU", 1), ("(ADD|SUB)[SP][SD]|ADDSUB.*", 1), ("MUL[SP][SD]", 1),
    ("FN?M(ADD|SUB).*", 1), ("DIV[SP]S", 1), ("DIV[SP]D", 1), ("SQRT[SP].", 1), ("R(CP|SQRT).*", 1),
    ("(MIN|MAX|CMP)[SP][SD]|CMP.*[SP][SD]", 1), ("U?COMIS[SD]|P?TEST.*", 1), ("CVT.*", 1), ("ROUND.*|RNDSCALE.*", 1),
    ("AND.*P.|OR.*P.|XOR.*P.|PAND.*|POR.*|PXOR.*|PTERNLOG.*", 1), ("P(ADD|SUB|MIN|MAX|CMP|ABS|AVG|SIGN).*", 1),
    ("PMUL.*|PMADD.*|PSADBW|MPSADBW|PDP.*", 1), ("PS[LR][LA].*|PROL.*|PROR.*|PSH[LR]D.*", 1),
    ("P?SHUF.*|PALIGNR|P?UNPCK.*|PACK.*|INSERTPS|MOV.*DUP|PERM.*|P?BROADCAST.*|PMOV[SZ]X.*|PUNPCK.*", 1),
    ("INSERT[FI].*|EXTRACT[FI].*|PERM2.*", 1), ("P?BLEND.*", 1), ("PINSR.|PEXTR.|EXTRACTPS|.*MOVMSK.*", 1),
    ("H(ADD|SUB).*|PH(ADD|SUB).*|DPP.*", 1), ("AES.*|PCLMUL.*|SHA.*|GF2.*", 1), ("ZERO(UPPER|ALL)", 1),
    (".*GATHER.*|.*SCATTER.*|P?MASKMOV.*|P?COMPRESS.*|P?EXPAND.*", 1), ("K[A-Z]+", 1), ("F[A-Z0-9]+|EMMS", 1),
    (".*", 1),
)  # fmt: skip
assert len(KINDS) <= KINDS_


def kind_of(bare: str, name: str, vector: bool, memory: bool) -> int:
    side = int(vector or name.startswith("F"))
    return next(at for at, (pattern, of) in enumerate(_COMPILED) if of == side and pattern.fullmatch(bare))


_COMPILED: Final = tuple((re.compile(pattern), of) for pattern, of in KINDS)


@cache
def forms() -> tuple[str, ...]:
    """The mnemonic of every code of iced-x86, VEX "V" included."""
    iced: Any = need("iced_x86", extra="throughput", purpose="decoding x86")
    mnemonics = {value: name for name, value in vars(iced.Mnemonic).items() if isinstance(value, int)}
    found, one = [], iced.Instruction()
    for code in range(len(code_names())):
        one.code = code
        found.append(mnemonics[one.mnemonic])
    return tuple(found)


@cache
def code_names() -> tuple[str, ...]:
    iced: Any = need("iced_x86", extra="throughput", purpose="decoding x86")
    named = {value: name for name, value in vars(iced.Code).items() if isinstance(value, int)}
    return tuple(named[code] for code in range(max(named) + 1))


def prior() -> Ints:
    """(forms, FIELDS) of every form."""
    table = np.zeros((VARIANTS * len(forms()), FIELDS), np.int32)
    rules = [(re.compile(rule[0]), *rule[1:]) for rule in _RULES]
    for code, (mnemonic, name) in enumerate(zip(forms(), code_names(), strict=True)):
        vector = any(part in name for part in ("XMM", "YMM", "ZMM", "_MM_", "MMM64", "KR"))
        bare = mnemonic[1:] if name.startswith(("VEX_V", "EVEX_V")) else mnemonic
        found = next((rule for rule in rules if rule[0].fullmatch(bare)), None)
        latency, uops, ports, hold = found[1:] if found else (1, 1, FPU if vector else ALU, 1)
        if vector and found and ports == ALU:
            ports = FPU
        if "ZMM" in name:
            hold *= 2
        moves = bare.startswith("MOV") and not re.search("MSK|MOVD$|MOVQ$", bare) and "CMOV" not in bare
        loads = moves or (mnemonic.startswith(("PUSH", "POP")) and mnemonic != "POPCNT") or bare.startswith("LDDQU")
        for variant in range(VARIANTS):
            row, memory = table[VARIANTS * code + variant], variant & 1
            row[SLOTS] = SLOT * max(1, min(uops, 8)) if uops > 1 else SLOT
            row[LATENCY], row[UOPS], row[PORTS], row[HOLD] = latency, uops, ports, hold
            if memory and (loads or re.fullmatch("(MOVD|MOVQ|P?BROADCAST.*|MOV.DUP)", bare)):
                row[UOPS] = row[LATENCY] = 0
                row[SLOTS] = SLOT
            row[KIND] = kind_of(bare, name, vector, bool(memory))
    return table
