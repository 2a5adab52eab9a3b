"""The page where the rating form is read and edited; every version of it is kept."""

from typing import Any

import gradio as gr

from eval.errors import InputError
from eval.form import Forms, Version, parse
from eval.voting_view import preview


def form_tab(forms: Forms, editable: bool = True) -> None:
    """Lay the page out inside the current page. Where it is not `editable`, visitors only read."""
    gr.Markdown(
        "# The rating form\nWhat raters are asked about each answer, beside which is best. Every version is kept, and"
        " each vote names the one that it was given on."
    )
    version = gr.Dropdown([], label="Version", interactive=True, elem_id="form-version")
    status = gr.Markdown("", elem_id="form-status")
    with gr.Row(elem_classes="form-page"):
        text = gr.Code(language="yaml", label="Form (YAML)", lines=24, interactive=editable, elem_id="form-text")
        shown = gr.HTML("", elem_id="form-preview", elem_classes="form-preview")
    save = gr.Button("Save as a new version", variant="primary", visible=editable, elem_id="form-save")

    def read(number: Any) -> list[Any]:
        try:
            return shown_version(forms.version(int(number)) if number else forms.current())
        except (InputError, TypeError, ValueError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def load() -> list[Any]:
        try:
            versions = forms.versions()
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return [choices(versions), *shown_version(versions[-1])]

    def look(written: str) -> tuple[str, str]:
        """What raters would see, or what is wrong."""
        try:
            return preview(parse(str(written or ""))), ""
        except InputError as error:
            return "", f"⚠️ {error}"

    def set_form(written: str) -> list[Any]:
        if not editable:
            raise gr.Error("Visitors cannot change the rating form.", print_exception=False)
        try:
            kept = forms.set(str(written or ""))
            status = f"Version {kept.number} is what raters see from their next question on."
            return [choices(forms.versions()), *shown_version(kept)[:2], status]
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from error

    gr.on(None, load, None, [version, text, shown, status], show_progress="hidden", api_visibility="private")
    version.input(read, version, [text, shown, status], show_progress="hidden", api_visibility="private")
    if editable:
        text.input(
            look, text, [shown, status], show_progress="hidden", trigger_mode="always_last", api_visibility="private"
        )
        save.click(set_form, text, [version, text, shown, status], api_visibility="private")


def choices(versions: list[Version]) -> Any:
    """The versions to choose from, the latest first and chosen."""
    named = [(f"{one.number} · {one.digest[:12]}", one.number) for one in reversed(versions)]
    return gr.update(choices=named, value=versions[-1].number)


def shown_version(version: Version) -> list[Any]:
    """Its text, what raters see, and no message."""
    return [version.text, preview(version.form), ""]
