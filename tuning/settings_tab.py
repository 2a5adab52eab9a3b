"""The part of the Tune page where a run's method and hyperparameters are set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from tuning.config import PRESETS, TrainConfig
from tuning.settings import CHOICES, FIELDS, FIRST, FRESH, PRESET_WORDS, SWITCHES, is_used, method_choices, suggested


@dataclass(frozen=True)
class SettingsForm:
    """The components of the form."""

    preset: gr.Radio
    method: gr.Dropdown
    start: gr.Dropdown
    values: tuple[Any, ...]

    @property
    def inputs(self) -> list[Any]:
        """What a handler gets: the adapter to go on from, preset, method, and the values of `FIELDS`."""
        return [self.start, self.preset, self.method, *self.values]

    def value(self, name: str) -> Any:
        """The component of one field."""
        return self.values[FIELDS.index(name)]


def settings_form(adapter_names: Callable[[], Sequence[str]]) -> SettingsForm:
    """Build the form in the present gradio context; `adapter_names` lists what training can go on from."""
    preset = gr.Radio(list(PRESETS), value="balanced", label="Preset", info=PRESET_WORDS)
    with gr.Row():
        method = gr.Dropdown(method_choices(), value="lora", label="Method", min_width=220)
        start = gr.Dropdown([FRESH, *adapter_names()], value=FRESH, label="Go on from", min_width=220)
    built: dict[str, Any] = {}
    with gr.Row():
        for name in FIRST:
            built[name] = _component(name)
    others = [name for name in FIELDS if name not in FIRST]
    with gr.Accordion("All hyperparameters", open=False):
        with gr.Row():
            built |= {name: _component(name) for name in others if name not in SWITCHES}
        built |= {name: _component(name) for name in others if name in SWITCHES}  # in a row, these become slivers
    form = SettingsForm(preset, method, start, tuple(built[name] for name in FIELDS))
    gr.on(
        [preset.input, method.input],
        _suggest,
        [preset, method],
        list(form.values),
        queue=False,
        api_visibility="private",
    )
    start.focus(
        lambda: gr.update(choices=[FRESH, *adapter_names()]), None, start, queue=False, api_visibility="private"
    )
    return form


def _component(name: str) -> Any:
    default = suggested("balanced", "lora")[name]
    label, meaning = name.replace("_", " "), TrainConfig.meanings()[name]
    if name in SWITCHES:
        return gr.Checkbox(default, label=label, info=meaning)
    if name in CHOICES:
        return gr.Dropdown(list(CHOICES[name]), value=default, label=label, info=meaning, min_width=220)
    return gr.Number(default, label=label, info=meaning, min_width=220, visible=is_used(name, "lora"))


def _suggest(preset: Any, method: Any) -> list[Any]:
    return [gr.update(value=value, visible=is_used(name, method)) for name, value in suggested(preset, method).items()]
