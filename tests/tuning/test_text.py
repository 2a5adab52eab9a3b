from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.tiny import WORDS, tiny_tokenizer
from tuning.text import BROKEN, Text

BYTES = tiny_tokenizer()
SPACE = "▁"


def pieces(extra: Sequence[str] = ()) -> Tokenizer:
    """A vocabulary in the manner of sentencepiece: a space belongs to the word behind it, and the first is dropped."""
    vocabulary = ["<unk>", "</s>", *extra, SPACE, *"abcdefghilmnorstuy.,é", "the", "ing", f"{SPACE}the", f"{SPACE}a"]
    vocabulary += [f"{SPACE}{SPACE}", f"{SPACE}answer", "answ", "er", f".{SPACE}", f"a{SPACE}"]
    unigrams = [(piece, -float(len(vocabulary)) / len(piece)) for piece in vocabulary]
    return Tokenizer(models.Unigram(unigrams, unk_id=0, byte_fallback=bool(extra)))


def wrapped(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", clean_up_tokenization_spaces=False
    )


def metaspace() -> PreTrainedTokenizerFast:
    """As T5 and XLM-R have it."""
    tokenizer = pieces()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    return wrapped(tokenizer)


def with_bytes() -> PreTrainedTokenizerFast:
    """As Llama 2, Mistral and Gemma have it: characters that are no pieces are spelt in bytes, a run of which is spelt
    as a whole or not at all."""
    tokenizer = pieces([f"<0x{number:02X}>" for number in range(256)])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return wrapped(tokenizer)


META, FALLBACK = metaspace(), with_bytes()


def spelt(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def ids_of(tokenizer: PreTrainedTokenizerFast, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def check(tokenizer: PreTrainedTokenizerFast, ids: list[int], expected: str) -> None:
    """Whatever has been shown stays, whatever is whole is shown at once, and in the end the text is the expected."""
    text = Text(tokenizer)
    shown = ""
    for number, token in enumerate(ids, 1):
        text.add(token)
        assert text.shown.startswith(shown), "what was shown is gone"
        assert expected.startswith(text.shown), "half a character, or a wrong one"
        shown = text.shown
        so_far = spelt(tokenizer, ids[:number])
        if not so_far.endswith(BROKEN):
            assert shown == so_far.strip()
    text.close()
    assert text.shown == expected
    assert not text.stopped


# ---- characters


@settings(max_examples=150)
@given(st.text(max_size=30))
def test_any_text_grows_token_by_token_into_itself(written: str) -> None:
    check(BYTES, ids_of(BYTES, written), written.strip())


@settings(max_examples=150)
@given(st.lists(st.integers(0, len(BYTES) + 5), max_size=40))
def test_random_tokens_only_grow_too(ids: list[int]) -> None:
    """Untrained weights emit broken bytes, turn marks, and numbers that the tokenizer does not know."""
    check(BYTES, ids, spelt(BYTES, ids).strip())


def test_a_character_of_many_tokens_comes_whole() -> None:
    text = Text(BYTES)
    shown = []
    for token in ids_of(BYTES, "é👩‍🚒!"):
        text.add(token)
        shown.append(text.shown)
    assert len(shown) > 6
    assert list(dict.fromkeys(shown)) == ["", "é", "é👩", "é👩\u200d", "é👩\u200d🚒", "é👩\u200d🚒!"]


def test_half_a_character_at_the_very_end_is_shown_as_broken() -> None:
    """`max_tokens` may cut there; the reader sees that something was cut."""
    text = Text(BYTES)
    for token in ids_of(BYTES, "Yes 🚒")[:-1]:
        text.add(token)
    assert text.shown == "Yes"
    text.close()
    assert text.shown == f"Yes {BROKEN}"


def test_marks_of_turns_are_no_text() -> None:
    check(BYTES, BYTES.encode("Paris<|im_end|>\nRome<|endoftext|>"), "Paris\nRome")


# ---- spaces


@pytest.mark.parametrize(
    "text",
    ["the answer is.  yes", " leading", "a a the  a. the", "\n\nYes", "Yes. ", "trailing \n\n", "a\n b", " ", ""],
)
@pytest.mark.parametrize("tokenizer", [BYTES, META, FALLBACK], ids=["bytes", "metaspace", "fallback"])
def test_spaces_stand_where_the_model_put_them(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = ids_of(tokenizer, text)
    check(tokenizer, ids, spelt(tokenizer, ids).strip())


def test_space_at_the_end_is_shown_once_something_follows() -> None:
    """It was shown at once and taken back in the end."""
    text = Text(BYTES)
    shown = []
    for token in [*ids_of(BYTES, "\nYes"), *ids_of(BYTES, " "), *ids_of(BYTES, "\n"), *ids_of(BYTES, "No")]:
        text.add(token)
        shown.append(text.shown)
    assert "Yes" in shown
    assert not [state for state in shown if state != state.strip()]
    assert shown[-1] == "Yes \nNo"


@settings(max_examples=150)
@given(st.text("abei ths.,é\n", max_size=30))
def test_a_leading_space_that_depends_on_the_neighbour_is_kept(written: str) -> None:
    """Decoded alone, each token of such a vocabulary loses its space: `theanswer`."""
    for tokenizer in (META, FALLBACK):
        ids = ids_of(tokenizer, written)
        check(tokenizer, ids, spelt(tokenizer, ids).strip())
    assert spelt(FALLBACK, ids_of(FALLBACK, written)).strip() == written.strip(), "the tokenizer is not at fault"


@settings(max_examples=150)
@given(st.lists(st.integers(0, len(META) - 1), max_size=30))
def test_random_pieces_only_grow_too(ids: list[int]) -> None:
    check(META, ids, spelt(META, ids).strip())


@settings(max_examples=150)
@given(st.text("aé€🚒 \n", max_size=20))
def test_characters_spelt_in_bytes_come_whole(written: str) -> None:
    check(FALLBACK, ids_of(FALLBACK, written), written.strip())


@settings(max_examples=150)
@given(st.lists(st.one_of(st.integers(0, len(FALLBACK) - 1), st.sampled_from(ids_of(FALLBACK, "€🚒 a"))), max_size=30))
def test_random_pieces_and_bytes_only_grow_too(ids: list[int]) -> None:
    """One wrong byte breaks the whole run of bytes that it stands in, what was shown of it long before included; that
    stays as it was shown."""
    text = Text(FALLBACK)
    shown = ""
    for number, token in enumerate(ids, 1):
        text.add(token)
        assert text.shown.startswith(shown)
        shown = text.shown
        if BROKEN not in (so_far := spelt(FALLBACK, ids[:number])):
            assert shown == so_far.strip()
    text.close()
    assert text.shown.startswith(shown)


# ---- stop strings


def write(parts: Sequence[str], stops: Sequence[str]) -> tuple[list[str], Text]:
    """What was shown after each token, until a stop string ends the row; the parts fall on borders of tokens."""
    text, shown = Text(BYTES, stops), [""]
    for token in (token for part in parts for token in ids_of(BYTES, part)):
        text.add(token)
        shown.append(text.shown)
        if text.stopped:
            break
    text.close()
    return [*shown, text.shown], text


def ended(written: str, stops: Sequence[str]) -> tuple[str, bool]:
    """What remains of a text whose writer stops with the first character that completes a stop string."""
    for end in range(1, len(written) + 1):
        hits = [len(stop) for stop in stops if written[:end].endswith(stop)]
        if hits:
            return written[: end - max(hits)].strip(), True
    return written.strip(), False


@pytest.mark.parametrize(
    ("written", "shown", "at_the_end", "hit"),
    [
        ("Yes.\nUser: more", "Yes.", "Yes.", True),
        ("Yes.\nUse", "Yes.", "Yes.\nUse", False),
        ("Yes.\nUseful", "Yes.\nUseful", "Yes.\nUseful", False),
        ("\nUser: more", "", "", True),
        ("Yes.\nSystem", "Yes.", "Yes.\nSystem", False),
    ],
)
def test_a_stop_string_never_leaks_half(written: str, shown: str, at_the_end: str, hit: bool) -> None:
    for parts in ([written], list(written)):
        states, text = write(parts, ("\nUser:", "\nSystem:"))
        assert states[-2:] == [shown, at_the_end]
        assert text.stopped == hit


ALPHABET = "ab\n :é"


@settings(max_examples=300)
@given(
    st.lists(st.text(ALPHABET, min_size=1, max_size=4), max_size=12),
    st.lists(st.text(ALPHABET, min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_stop_strings_end_the_text_wherever_the_borders_of_tokens_lie(parts: list[str], stops: list[str]) -> None:
    expected, hit = ended("".join(parts), stops)
    states, text = write(parts, stops)
    assert text.stopped == hit
    assert text.shown == expected
    for before, after in pairwise(states):
        assert after.startswith(before)


@settings(max_examples=100)
@given(st.data())
def test_a_token_that_completes_several_stop_strings_ends_the_text_as_smaller_ones_do(data: st.DataObject) -> None:
    """It ended the text before the one that began first, smaller tokens before the one completed first: the text shown
    depended on where tokens meet."""
    written = data.draw(st.sampled_from(WORDS))
    starts = st.integers(0, 30).flatmap(lambda start: st.tuples(st.just(start), st.integers(start + 1, start + 8)))
    stops = [written[start:end] for start, end in data.draw(st.lists(starts, min_size=2, max_size=4))]
    expected, _ = ended(written, stops)
    assert write([written], stops)[1].shown == expected
    assert write(list(written), stops)[1].shown == expected


@settings(max_examples=100)
@given(
    st.lists(st.text(ALPHABET, min_size=1, max_size=4), max_size=12),
    st.lists(st.text(ALPHABET, min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_no_more_is_held_back_than_a_stop_string_could_begin_with(parts: list[str], stops: list[str]) -> None:
    text, written = Text(BYTES, stops), ""
    for part in parts:
        for token in ids_of(BYTES, part):
            text.add(token)
        written += part
        if text.stopped or any(stop in written for stop in stops):
            break
        beginnings = {stop[:length] for stop in stops for length in range(1, len(stop))}
        held = max((len(beginning) for beginning in beginnings if written.endswith(beginning)), default=0)
        assert text.shown == written[: len(written) - held].strip()


def test_a_stop_string_that_closing_completes_is_hit() -> None:
    """The rest of a character that never came may follow it in the same token."""
    text = Text(BYTES, ["!"])
    for token in [*ids_of(BYTES, "Yes"), *ids_of(BYTES, "🚒")[:1], *ids_of(BYTES, "!"), *ids_of(BYTES, "🚒")[:1]]:
        text.add(token)
    assert text.stopped
    text.close()
    assert text.shown == f"Yes{BROKEN}"
