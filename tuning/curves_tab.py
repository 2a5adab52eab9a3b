"""The plot of a training's curves."""

import gradio as gr
import pandas

from tuning.curves import KINDS, Table


def curves_plot(height: int) -> gr.LinePlot:
    """The plot, hidden until `drawn` gives it something to draw."""
    return gr.LinePlot(
        x="step",
        y="loss",
        color="rows",
        height=height,
        y_title="loss of the answers",
        color_map=dict(zip(KINDS, ("#94a3b8", "#0d9488"), strict=True)),
        show_label=False,
        visible=False,
    )


def drawn(curves: Table) -> dict[str, object]:
    """What the plot becomes, to draw these curves."""
    changed: dict[str, object] = gr.update(value=pandas.DataFrame(curves), visible=bool(curves["step"]))
    return changed
