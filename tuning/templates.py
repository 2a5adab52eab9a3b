"""Any table -> prompts and answers, through Jinja2 templates; and a small gallery of such templates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta
from jinja2.sandbox import SandboxedEnvironment

from tuning.errors import InputError
from tuning.rowfiles import Broken

WHOLE = "row"
"""In a template, the whole record: `{{ row["Review text"] }}` reads a column whose name is no word."""

# Null in a column is nothing, not the word "None"; the sandbox keeps a template that came with a table to its table.
_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, finalize=lambda value: "" if value is None else value, keep_trailing_newline=True
)


class Template:
    """The template of one field. Raises InputError with the line where it is not well formed."""

    def __init__(self, text: str, field: str) -> None:
        self.field = field
        try:
            self.names = frozenset(meta.find_undeclared_variables(_ENVIRONMENT.parse(text))) - {WHOLE}
            self._template = _ENVIRONMENT.from_string(text)
        except TemplateSyntaxError as error:
            cure = "write a column's name as {{ name }}"
            raise InputError(f"the {field} template, line {error.lineno}: {_sentence(error)}; {cure}") from error
        except TemplateError as error:
            raise InputError(f"the {field} template: {_sentence(error)}; correct it") from error

    def render(self, record: Mapping[str, Any], place: str) -> str:
        """The field of a record. Raises Broken with the columns there are where it asks for another."""
        try:
            return self._template.render({WHOLE: record, **{str(name): value for name, value in record.items()}})
        except UndefinedError as error:
            missing = [name for name in sorted(self.names - set(record)) if str(error) == f"{name!r} is undefined"]
            what = f"asks for {missing[0]!r}, which is no column" if missing else f"fails: {_sentence(error)}"
            has = ", ".join(map(str, record)) or "none"
            cure = (
                f"name one of these, or say which one it is with --columns {missing[0] if missing else 'NAME'}=COLUMN"
            )
            raise Broken(f"{place}: the {self.field} template {what} (columns: {has}); {cure}") from error
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise Broken(
                f"{place}: the {self.field} template fails: {_sentence(error)}; correct the template or the row"
            ) from error


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


@dataclass(frozen=True)
class Pattern:
    """A pair of templates for a common task."""

    name: str
    meaning: str
    prompt: str
    response: str
    columns: Mapping[str, str]
    """What the templates ask for, and what it should hold."""


GALLERY = {
    pattern.name: pattern
    for pattern in (
        Pattern(
            "question-answering",
            "questions about a text",
            "Answer the question from the text.\n\nText: {{ context }}\n\nQuestion: {{ question }}",
            "{{ answer }}",
            {"context": "the text", "question": "what is asked about it", "answer": "the right answer"},
        ),
        Pattern(
            "summarise",
            "long texts and their summaries",
            "Summarise this text in a few sentences.\n\n{{ text }}",
            "{{ summary }}",
            {"text": "the long text", "summary": "its summary"},
        ),
        Pattern(
            "classify",
            "texts and the label of each",
            "Which label fits this text? Answer with the label alone.\n\n{{ text }}",
            "{{ label }}",
            {"text": "the text", "label": "its label, as a word"},
        ),
        Pattern(
            "house-style",
            "texts before and after an editor",
            "Rewrite this text in our house style.\n\n{{ before }}",
            "{{ after }}",
            {"before": "the text as it came in", "after": "the text as it should read"},
        ),
        Pattern(
            "rating",
            "reviews and the rating that each gives",
            "Which rating does this review give? Answer with the rating alone.\n\n{{ review }}",
            "{{ rating }}",
            {"review": "the review", "rating": "the rating, such as 4"},
        ),
    )
}


def find_pattern(name: str) -> Pattern:
    """The gallery's templates of that name. Raises InputError with the names that there are."""
    if name not in GALLERY:
        raise InputError(f"the gallery has no {name!r}; choose one of: {', '.join(GALLERY)}")
    return GALLERY[name]
