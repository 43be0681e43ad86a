"""An exported folder: whole or not there, the network's own weights, words that every transformers reads."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from pruning import slimbert
from pruning.errors import BackboneError, ConfigError, MeasureError, SlimVizError
from pruning.export import FORMATS, Wanted, check_destination, format_of, hub_folder, write_export
from pruning.export.modelling import modelling_source
from pruning.variants import FLOAT, INT8


@pytest.fixture
def network(tiny_bert: Any) -> Any:
    return slimbert.round_to_half(slimbert.dense_from_bert(tiny_bert))


def left(folder: Path) -> list[str]:
    """What lies in a folder, hidden files and half-written folders too, but not what fixtures wrote."""
    return sorted(path.name for path in folder.iterdir() if path.name != "tiny_tokenizer")


def test_a_slim_networks_folder(tmp_path: Path, network: Any, tiny_tokenizer: Any) -> None:
    folder = write_export(network, tiny_tokenizer, tmp_path / "new" / "slim")
    assert left(tmp_path / "new") == ["slim"]
    assert left(folder) == [
        "README.md", "config.json", "model.safetensors", "modeling_slimbert.py", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    stored = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    state = network.state_dict()
    assert stored.keys() == state.keys()
    assert all(torch.equal(tensor.float(), state[name]) for name, tensor in stored.items())
    config = json.loads((folder / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "modeling_slimbert.SlimBertConfig",
        "AutoModel": "modeling_slimbert.SlimBertModel",
        "AutoModelForSequenceClassification": "modeling_slimbert.SlimBertForSequenceClassification",
    }
    assert (config["dtype"], config["torch_dtype"]) == ("float32", "float32")
    assert (folder / "modeling_slimbert.py").read_text() == modelling_source()
    assert len({stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}) == 1  # nobody's alone
    assert str(tmp_path) not in "".join(path.read_text() for path in folder.iterdir() if path.suffix != ".safetensors")


def test_a_plain_bert_needs_no_code_and_keeps_its_weights(tmp_path: Path, tiny_bert: Any, tiny_tokenizer: Any) -> None:
    folder = write_export(tiny_bert, tiny_tokenizer, tmp_path / "teacher")
    assert left(folder) == ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    config = json.loads((folder / "config.json").read_text())
    assert (config["architectures"], config["model_type"]) == (["BertForSequenceClassification"], "bert")
    assert "auto_map" not in config
    stored = load_file(folder / "model.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in tiny_bert.state_dict().items())
    assert "trust_remote_code" not in (folder / "README.md").read_text()


def test_the_tokenizer_neither_cuts_nor_pads_by_itself(tmp_path: Path, network: Any, tiny_tokenizer: Any) -> None:
    tiny_tokenizer.backend_tokenizer.enable_padding(length=30)
    tiny_tokenizer.backend_tokenizer.enable_truncation(4)
    folder = write_export(network, tiny_tokenizer, tmp_path / "slim")
    assert len(Tokenizer.from_file(str(folder / "tokenizer.json")).encode("the film is very good").ids) == 7
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"  # known to transformers 4 and 5
    assert settings["model_max_length"] == network.config.max_position_embeddings
    assert settings["model_input_names"] == ["input_ids", "token_type_ids", "attention_mask"]


def test_the_card_of_a_network_alone(tmp_path: Path, network: Any, tiny_tokenizer: Any) -> None:
    card = (write_export(network, tiny_tokenizer, tmp_path / "mine", is_pair=True) / "README.md").read_text()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert f"{parameters:,} parameters" in card
    assert f"{hub_folder.OLDEST} to {hub_folder.NEWEST}" in card
    code = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert code is not None
    compile(code[1], "card", "exec")
    assert 'from_pretrained("mine", trust_remote_code=True)' in code[1]
    assert 'tokenizer("first text", "second text", ' in code[1]
    assert max(map(len, card.splitlines())) <= 120
    given = write_export(network, tiny_tokenizer, tmp_path / "given", card="# Mine\n")
    assert (given / "README.md").read_text() == "# Mine\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda place: (place / "kept").write_text("mine"), "holds something, expected a new or an empty folder"),
        (lambda place: (place.rmdir(), place.write_text("mine")), "is a file, expected a new or an empty folder"),
    ],
)
def test_what_is_there_is_never_overwritten(
    tmp_path: Path, network: Any, tiny_tokenizer: Any, make: Any, reason: str
) -> None:
    place = tmp_path / "there"
    place.mkdir()
    make(place)
    with pytest.raises(ConfigError, match=reason):
        write_export(network, tiny_tokenizer, place)
    assert left(tmp_path) == ["there"]
    assert (place if place.is_file() else place / "kept").read_text() == "mine"


def test_an_empty_folder_is_filled_unless_one_stands_in_it(
    tmp_path: Path, network: Any, tiny_tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "empty"
    place.mkdir()
    monkeypatch.chdir(place)
    with pytest.raises(ConfigError, match=r"folder '\.': expected a folder of its own, not the one you are in"):
        check_destination(".")
    monkeypatch.chdir(tmp_path)
    assert write_export(network, tiny_tokenizer, "empty") == place
    assert len(left(place)) == 6


def test_what_cannot_be_written_leaves_nothing(
    tmp_path: Path, network: Any, tiny_tokenizer: Any, make_bert: Any
) -> None:
    with pytest.raises(MeasureError, match="export: Linear cannot be written, expected a slim network or a Bert"):
        write_export(nn.Linear(1, 1), tiny_tokenizer, tmp_path / "place", card="")
    with pytest.raises(BackboneError, match="tokenizer object: expected a fast one"):
        write_export(network, object(), tmp_path / "place")
    with pytest.raises(ConfigError, match="format 'pickle': expected one of transformers, onnx"):
        write_export(network, tiny_tokenizer, tmp_path / "place", wanted=Wanted("pickle"))
    with pytest.raises(ConfigError, match="format transformers: writes no int8, expected --format onnx"):
        write_export(network, tiny_tokenizer, tmp_path / "place", wanted=Wanted(precision=INT8))
    with torch.no_grad():
        network.classifier.bias.fill_(1e9)
    with pytest.raises(SlimVizError, match="expected at most 65504"):
        write_export(network, tiny_tokenizer, tmp_path / "place")
    assert left(tmp_path) == []


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_what_one_needs(name: str) -> None:
    chosen = format_of(name)
    assert chosen.SUMMARY
    assert callable(chosen.write)
    assert callable(chosen.loading)
    assert callable(chosen.card)
    assert callable(chosen.tried)
    assert chosen.PRECISIONS[0] == FLOAT
