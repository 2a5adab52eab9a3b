"""The columns of a table under the names that rows have: renamed, left out, or put together by templates."""

from collections.abc import Mapping, Sequence
from typing import Any

from tuning.errors import InputError
from tuning.layouts import ANSWER_FIELDS, FIELDS, OTHER_FIELDS, QUESTION_FIELDS, TURN_FIELDS
from tuning.rowfiles import LIST_FIELDS, Broken, json_value
from tuning.templates import Template

NEEDED = (*TURN_FIELDS, *QUESTION_FIELDS, *ANSWER_FIELDS, "chosen", "rejected", "label")
"""Fields without which a row means something else, or nothing."""


class Columns:
    """Makes of a table's records what `tuning.layouts` reads.

    `names` says from which column of the table a field comes; an empty name leaves the field out. A field that is so
    named stands in place of the others of its kind: with `prompt` from another column, an `instruction` beside it is
    not read. With `templates` (of `prompt` and `response`), only what is neither question nor answer comes along.

    Raises InputError where a name is no field of a row and no template asks for it.
    """

    def __init__(self, names: Mapping[str, str], templates: Sequence[Template] = ()) -> None:
        asked = frozenset().union(*(template.names for template in templates))
        for name in names:
            if name not in FIELDS and name not in asked:
                known = ", ".join([*sorted(asked), *FIELDS])
                raise InputError(f"--columns {name}={names[name]}: rows have no {name!r}; choose one of: {known}")
        self._names, self._templates = names, templates
        self._met: dict[str, None] = {}

    def __call__(self, record: Mapping[str, Any], place: str) -> Mapping[str, Any]:
        self._met.update(dict.fromkeys(map(str, record)))
        renamed = {name: value for name, value in record.items() if name not in self._replaced}
        for field, column in self._names.items():
            if column in record:
                renamed[field] = _listed(record[column], field, place)
            elif column and field in NEEDED and not self._templates:
                raise Broken(f"{place}: {self._absent(field, record)}")
        if not self._templates:
            return renamed
        words = {template.field: template.render(renamed, place) for template in self._templates}
        return {field: renamed[field] for field in OTHER_FIELDS if field in renamed} | words

    def check(self, file: str) -> None:
        """Raises InputError if a column that was named stood in no record."""
        for field, column in self._names.items():
            if column and column not in self._met:
                raise InputError(f"{file}: {self._absent(field, self._met)}")

    @property
    def _replaced(self) -> set[str]:
        """Fields that are not read under their own names."""
        replaced = set(self._names)
        if not self._templates:
            for kind in (QUESTION_FIELDS, ANSWER_FIELDS):
                if replaced.intersection(kind):
                    replaced.update(kind, TURN_FIELDS)
            if replaced.intersection(TURN_FIELDS):
                replaced.update(TURN_FIELDS)
        return replaced

    def _absent(self, field: str, columns: Mapping[str, Any]) -> str:
        has = ", ".join(map(str, columns)) or "none"
        return (
            f"no column {self._names[field]!r} to read {field} from (columns: {has}); correct --columns {field}=COLUMN"
        )


def _listed(value: Any, field: str, place: str) -> Any:
    """The value; the list in it where it is a table's text of one."""
    if field in LIST_FIELDS and isinstance(value, str) and value.lstrip().startswith(("[", "{")):
        return json_value(value, lambda _: f"{place}, column {field}")
    return value
