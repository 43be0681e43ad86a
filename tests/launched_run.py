"""Studies in two processes: `tests/pruning/test_processes.py` starts this once, through torchrun.

    torchrun --standalone --nproc_per_node 2 -m tests.launched_run FOLDER PORT PORT PORT

What is heavy is imported once; each command runs in a forked child of each process. One study is left alone, another
killed in the middle of an epoch and started again; the last command fails in the main process while the other waits.
That one meets as torchrun arranged; the children before it meet at the free ports given.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from tests.factories import quick_run
from tests.interrupted_run import fork, run_command

STRUCK_STEP = 7  # of 8 steps in 2 epochs; the newest checkpoint is of step 6
SETTINGS = quick_run.SETTINGS | {"batch_size": 8, "teacher_epochs": 1, "slim_epochs": 2, "recover_epochs": 1}


def arguments(folder: Path, place: Path) -> list[str]:
    """Of a ``run`` whose study and stage files go to `place`."""
    settings = quick_run.as_options(SETTINGS)
    files = ["--train-file", str(folder / "own.csv"), "--validation-file", str(folder / "validation.csv")]
    places = ["--backbone", str(folder / "backbone"), "--output", str(place / "studies"), "--runs", str(place / "runs")]
    return ["run", *files, *places, *settings, "--budgets", "0.5", "--device", "cpu"]


def die_in_slimming() -> None:
    """Let this process be killed at a step of slimming."""
    from pruning.training.progress import StudyProgress

    on_step_end = StudyProgress.on_step_end

    def fatal(progress: Any, args: Any, state: Any, *rest: Any, **named: Any) -> Any:
        if progress.name == "slim" and state.global_step == STRUCK_STEP:
            os.kill(os.getpid(), signal.SIGKILL)
        return on_step_end(progress, args, state, *rest, **named)

    StudyProgress.on_step_end = fatal  # type: ignore[method-assign]


def fail_to_store_the_teacher() -> None:
    """Let the main process fail where the other waits for it."""
    from pruning.errors import TrainingError
    from pruning.training import teacher

    def refuse(*given: Any) -> None:
        raise TrainingError("the teacher cannot be stored")

    teacher.store_teacher = refuse


def main(folder: Path, ports: list[str]) -> int:
    """Run everything; this process's exit codes go to ``codes-<number>.json``."""
    import torch

    torch.set_num_threads(1)  # no threads, so that a child has all that its parent had
    import peft  # noqa: F401
    from transformers.utils import logging

    from pruning import pipeline  # noqa: F401
    from pruning.training import processes

    logging.disable_progress_bar()  # bars have a thread, too
    gc.collect()
    gc.freeze()
    codes = []
    for attempt, (name, is_struck) in enumerate((("whole", False), ("struck", True), ("struck", False))):

        def command(name: str = name, is_struck: bool = is_struck, port: str = ports[attempt]) -> None:
            os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "False", "MASTER_PORT": port}
            if is_struck:
                die_in_slimming()
            sys.exit(run_command(arguments(folder, folder / name)))

        codes.append(fork(folder / f"output-{attempt}-{processes.number()}", command)[0])
    (folder / f"codes-{processes.number()}.json").write_text(json.dumps(codes))
    fail_to_store_the_teacher()
    return run_command(arguments(folder, folder / "failed"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
