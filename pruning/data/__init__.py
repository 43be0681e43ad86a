"""Tasks, their examples (from the hub, a folder of GLUE, the probe set or a user's own file) and batches of token ids.

Nothing here loads torch, pandas, pyarrow or datasets before it is needed.
"""

from pruning.data.batches import Encoded, EncodedDataset, EpochBuckets, collate, encode
from pruning.data.examples import Examples, hold_out, joined, unlabelled
from pruning.data.own_file import load_file, require_two_labels, require_words
from pruning.data.probe import PROBE_FOLDER, load_probe
from pruning.data.sources import SOURCE_VARIABLE, default_source, load_examples
from pruning.data.study_data import StudyData, glue_data, transfer_examples
from pruning.data.task import METRIC_TITLES, Task
from pruning.data.tasks import TASKS, custom_task, get_task

__all__ = [
    "METRIC_TITLES",
    "PROBE_FOLDER",
    "SOURCE_VARIABLE",
    "TASKS",
    "Encoded",
    "EncodedDataset",
    "EpochBuckets",
    "Examples",
    "StudyData",
    "Task",
    "collate",
    "custom_task",
    "default_source",
    "encode",
    "get_task",
    "glue_data",
    "hold_out",
    "joined",
    "load_examples",
    "load_file",
    "load_probe",
    "require_two_labels",
    "require_words",
    "transfer_examples",
    "unlabelled",
]
