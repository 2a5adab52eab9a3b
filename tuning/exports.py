"""An adapter taken elsewhere: PEFT's files, a whole model with it worked in, or one GGUF file, each with its card.

The rows that it was tested on, and the answers shown side by side, stay here: they are the user's own.
"""

import copy
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tuning.adapters import CARD, Adapter, new_folder
from tuning.assessment import ASSESSMENT, read_assessment
from tuning.errors import InputError
from tuning.gguf import convert
from tuning.heldout import TEST_ROWS
from tuning.modelcard import card_text

if TYPE_CHECKING:
    from tuning.base import Base

README = "README.md"
KEPT_HERE = (TEST_ROWS, ASSESSMENT, README, ".*")
"""Files that are not copied: the user's rows, what is written anew, what a killed process left."""


def export_adapter(adapter: Adapter, target: Path, base: "Base | None" = None, gguf: str | None = None) -> Path:
    """Write the adapter to the new folder `target`: as PEFT files, or merged into a copy of `base` if that is given.

    A model of its own is copied as it is. With `gguf`, a type of weights such as `q8_0`, the whole model becomes one
    file of that kind. Raises InputError if `target` exists, `base` is not the model that the adapter was trained on,
    or no converter is installed.
    """
    if target.exists():
        raise InputError(f"{target} exists; name a folder that does not")
    if base is not None and base.digest != adapter.card["base_digest"]:
        raise InputError(f"{adapter.name} was trained on {adapter.base}, not on {base.name}; choose that with --base")
    whole = adapter.is_model or base is not None
    with new_folder(target) as temporary:
        if gguf is None:
            _write_whole(adapter, base, temporary) if whole else _copy(adapter, temporary)
        else:
            with TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp") as scratch:
                _write_whole(adapter, base, Path(scratch))
                convert(Path(scratch), temporary / f"{adapter.name}-{gguf}.gguf", gguf)
            shutil.copyfile(adapter.path / CARD, temporary / CARD)
        _describe(adapter, temporary, "gguf" if gguf else "model" if whole else "adapter")
    return target


def _copy(adapter: Adapter, folder: Path) -> None:
    shutil.copytree(adapter.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*KEPT_HERE))


def _write_whole(adapter: Adapter, base: "Base | None", folder: Path) -> None:
    if adapter.is_model:
        _copy(adapter, folder)
        return
    assert base is not None, "an adapter is a whole model only together with its base"
    # Here, because looking at adapters must not cost the import of a model library.
    import torch
    from peft import PeftModel

    # In float32, because a small change added to a bf16 weight is lost in its rounding.
    weights: Any = copy.deepcopy(base.model)
    model = PeftModel.from_pretrained(weights.to(torch.float32), str(adapter.path))
    model.merge_and_unload().to(base.dtype).save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    shutil.copyfile(adapter.path / CARD, folder / CARD)


def _describe(adapter: Adapter, folder: Path, form: str) -> None:
    """The card for readers, and what was measured, without the user's questions and answers."""
    found = read_assessment(adapter)
    (folder / README).write_text(card_text(adapter, found, form), encoding="utf-8")
    if found is not None:
        public = {key: value for key, value in found.items() if key != "samples"}
        (folder / ASSESSMENT).write_text(json.dumps(public, indent=1) + "\n", encoding="utf-8")
