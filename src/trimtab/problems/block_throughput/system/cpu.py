# SPDX-License-Identifier: Apache-2.0
"""Which processor this is: what labels are valid for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

CPUINFO: Final = Path("/proc/cpuinfo")
_FIELDS: Final = {
    "vendor": "vendor_id",
    "family": "cpu family",
    "model": "model",
    "stepping": "stepping",
    "microcode": "microcode",
    "name": "model name",
}


def fingerprint() -> str:
    """Vendor, family and model in decimal, as labels name a CPU: "AuthenticAMD-26-2". '' where that can't be read."""
    cpu = describe()
    parts = [str(cpu.get(name, "")) for name in ("vendor", "family", "model")]
    return "-".join(parts) if all(parts) else ""


def describe(cpuinfo: Path = CPUINFO) -> dict[str, str]:
    """What Linux says of the first core: vendor, family, model, stepping, microcode, name."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    said: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if not colon and said:
            break  # the next core
        said.setdefault(key.strip(), value.strip())
    found = {name: said[key] for name, key in _FIELDS.items() if key in said}
    if "hypervisor" in said.get("flags", "").split():
        found["virtual"] = "yes"
    return found


def clock_card(ticks_per_cycle: float, clock: str) -> dict[str, Any]:
    """The clock that measured, and the core's frequency by it."""
    card: dict[str, Any] = {"clock": clock}
    rate = _tsc_hz() if clock == "tsc-calibrated" else None
    if rate:
        card |= {"tsc_ghz": round(rate / 1e9, 4), "core_ghz": round(rate / ticks_per_cycle / 1e9, 3)}
    return card


def _tsc_hz() -> float | None:
    """The rate of the time-stamp counter, or None.

    With a constant time-stamp counter `bogomips` is twice its rate in MHz.
    """
    try:
        text = CPUINFO.read_text(errors="replace")
    except OSError:
        return None
    if "constant_tsc" not in text:
        return None
    for line in text.splitlines():
        if line.startswith("bogomips"):
            return float(line.partition(":")[2]) / 2 * 1e6
    return None
