"""Loading in the background, and what the pages hear meanwhile."""

from pathlib import Path

import pytest

from eval.errors import InputError
from eval.workbench import RESIDENT, Workbench, on_gpu
from tests.eval.conftest import DOCUMENTS, copy_adapter


def test_until_it_is_loaded_every_part_says_what_is_going_on(workbench: Workbench) -> None:
    assert not workbench.progress.ready
    for part in (workbench.engine, workbench.embedder):
        with pytest.raises(InputError, match=r"still loading \(Starting"):
            part()


def test_loading_makes_the_sample_index_once(loaded: Workbench, tiny_base_path: Path) -> None:
    assert loaded.index_names() == ["samples"]
    index = loaded.index("samples")
    assert {document.name for document in index.documents()} == set(DOCUMENTS)
    assert index.search("Who keeps the lighthouse?", 1)[0].document == "lighthouse.md"
    generation = index.generation
    again = Workbench(loaded.home, base=str(tiny_base_path))
    again.load()
    assert again.index("samples").generation == generation


def test_a_base_that_cannot_be_loaded_ends_in_words(workbench: Workbench, tmp_path: Path) -> None:
    broken = Workbench(workbench.home, base=str(tmp_path))
    broken.load()
    assert broken.progress.failed
    with pytest.raises(InputError, match="holds no causal language model"):
        broken.engine()


def test_only_so_many_adapters_stay_resident(loaded: Workbench, samples: Path) -> None:
    names = [f"copy{number}" for number in range(RESIDENT + 1)]
    for name in names:
        copy_adapter(samples, loaded.home, name)
        loaded.adapter(name)
    assert loaded.engine().adapters == tuple(names[1:])
    loaded.adapter(names[0])
    assert names[0] in loaded.engine().adapters


def test_an_unknown_index_or_adapter_is_named(loaded: Workbench) -> None:
    with pytest.raises(InputError, match="no index 'nowhere'"):
        loaded.index("nowhere")
    with pytest.raises(ValueError, match="nobody"):
        loaded.adapter("nobody")


def test_at_home_nothing_of_a_space_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert on_gpu(iter) is iter  # type: ignore[comparison-overlap, arg-type]
