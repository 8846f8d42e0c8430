# SPDX-License-Identifier: Apache-2.0
"""A made-up package index in which, as in the real one, who maintains a package hangs together with what it is."""

from __future__ import annotations

import random


def small_index(count: int, seed: int = 0) -> list[dict[str, str]]:
    draw = random.Random(seed)
    found = []
    for number in range(count):
        section = draw.choice(["libs", "libs", "games", "perl", "doc"])
        fields = {
            "Package": f"{section[:3]}-{number}",
            "Version": "1",
            "Architecture": draw.choice(["all", "amd64"]),
            "Maintainer": f"Team {section} <team@{section}.example.org>"
            if draw.random() < 0.8
            else "One <one@debian.org>",
            "Section": section,
            "Priority": "required" if section == "libs" and number % 7 == 0 else "optional",
            "Installed-Size": str(number * 13 % 997),
            "Size": str(number * 7919 % 99991),
            "Description": "x" * (number % 60),
            "Depends": ", ".join(f"{draw.choice(['lib', 'gam'])}-{draw.randrange(max(1, number))}" for _ in range(6)),
            "Tag": f"role::{section}, suite::{'gnome' if number % 3 else 'kde'}",
        }
        if number % 5 == 0:
            fields["Provides"] = f"virtual-{number % 11}"
        if number % 4 == 0:
            fields["Recommends"] = f"lib-{number // 2} (>= 1) | gam-{number // 3}"
        found.append(fields)
    return found
