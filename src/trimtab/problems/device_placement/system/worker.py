# SPDX-License-Identifier: Apache-2.0
"""A device of the backend ``processes``: ``python -m trimtab....system.worker FD``, pinned to one core."""

from __future__ import annotations

import datetime
import os
import sys
import time
from pathlib import Path
from typing import Any

from trimtab.core.errors import TrimtabError, Unavailable

from . import network
from .control import Line, end_with_parent, wait_until


class Process:
    """State of one worker; a method for each message of the parent."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.here = 0
        self.state: dict[str, Any] = {}

    def isolate(self, message: Any) -> Any:
        network.isolate()
        return {"pid": os.getpid()}

    def connect(self, message: Any) -> Any:
        network.connect(message["pids"])
        return {}

    def bring_up(self, message: Any) -> Any:
        network.bring_up(message["rank"], message["bytes_per_s"])
        return {}

    def join(self, message: Any) -> Any:
        """PyTorch, on one thread; and a process group of all devices."""
        import torch
        import torch.distributed as dist

        torch.set_num_threads(1)
        self.here = message["rank"]
        if message["devices"] > 1:
            dist.init_process_group(
                "gloo", rank=self.here, world_size=message["devices"], init_method=f"file://{message['store']}",
                timeout=datetime.timedelta(seconds=message["seconds"]),
            )  # fmt: skip
        return {}

    def load(self, message: Any) -> Any:
        """A program, and the values of its leaves."""
        import json

        from safetensors.torch import load_file

        from ..program.execute import Executable
        from ..program.instructions import from_json
        from .device import Device
        from .share import Wiring

        folder = Path(message["folder"])
        executable = Executable(from_json(json.loads(folder.joinpath("program.json").read_bytes())))
        state, given = load_file(folder / "state.safetensors"), load_file(folder / "inputs.safetensors")
        inputs = [given[str(i)] for i in range(len(given))]
        self.leaves = executable.leaves(state, inputs)
        self.device = Device(executable)
        self.wiring = Wiring(*message["wiring"])
        return {}

    def profile(self, message: Any) -> Any:
        """Seconds of CPU, and of wall time, of each op and of the whole, of several runs in a row."""
        from .op_times import run_timed

        runs = [run_timed(self.device.executable, self.leaves) for _ in range(message["repeats"])]
        return {"runs": runs}

    def step(self, message: Any) -> Any:
        """One step: says when it is ready, hears when to begin."""
        from ..program.execute import Values
        from .share import share_of
        from .transport import Transport

        share = share_of(self.wiring, message["device"], self.here)
        transport = Transport(share.receives, self.device.shapes(share), None)
        transport.start()
        values = Values(self.leaves)
        self.line.tell({"ready": True})
        begin = self.line.hear()["begin"]
        wait_until(begin)
        done = self.device.run(values, share, message["rank"], transport, begin)
        transport.finish()
        if message["keep"]:
            self._keep(Path(message["keep"]), values, set(share.ops))
        return {
            "end": done.end, "ops": done.ops, "arrivals": done.arrivals, "cpu_ns": done.cpu_ns,
            "sent_bytes": transport.sent_bytes, "messages": transport.messages,
        }  # fmt: skip

    def _keep(self, folder: Path, values: Any, mine: set[int]) -> None:
        """Results that were made here, as a file; leaves as they are after the step."""
        from safetensors.torch import save_file

        nodes = {self.device.nodes[op] for op in mine}
        results = self.device.executable.finish(values, mine=lambda node: node in nodes)
        made = {f"result_{i}": r.contiguous() for i, r in enumerate(results) if r is not None}
        program = self.device.executable.program
        updated = {f"leaf_{i}": values[i] for i, ref in program.updates.items() if program.base(ref).node in nodes}
        save_file({**made, **updated}, folder / f"{self.here}.safetensors")


def main() -> None:
    end_with_parent()
    line = Line(int(sys.argv[1]))
    process = Process(line)
    os.sched_setaffinity(0, {int(os.environ["TRIMTAB_CORE"])})
    sys.setswitchinterval(0.0005)
    while True:
        message = line.hear()
        try:
            line.tell(getattr(process, message["do"])(message))
        except (Unavailable, TrimtabError) as error:
            line.tell({"failed": str(error), "unavailable": isinstance(error, Unavailable)})
        except Exception as error:
            line.tell({"failed": f"{type(error).__name__}: {error}"})
            raise
        finally:
            time.sleep(0)


if __name__ == "__main__":
    main()
