"""What the Campaigns page shows, as HTML. Every text is escaped: names come from users, raters' words from anybody."""

from collections.abc import Mapping, Sequence
from html import escape

from eval.agreement import RaterReport
from eval.alpha import Alpha
from eval.campaign import Standing, state_of
from eval.judging import JudgeReport

JUDGED = {"best": "which answer is best", "acceptable": "whether the best is acceptable"}


def body(
    standing: Standing, found: Mapping[str, Alpha], raters: Sequence[RaterReport], judges: Sequence[JudgeReport]
) -> str:
    """One campaign: how far it is, its raters, and how far they agree."""
    return "".join(
        (
            _progress(standing),
            _section("Raters", _raters(standing, raters)),
            _section("Agreement", _agreement(found)),
            _section("AI judge", _judges(judges)) if judges else "",
        )
    )


def empty() -> str:
    return _section("No campaign yet", "<p>Make one below: prompts, raters, and what they all share.</p>")


def _progress(standing: Standing) -> str:
    campaign = standing.campaign
    share = 100 * standing.rated / standing.needed if standing.needed else 0
    shared = (
        f"all {campaign.prompts} by each of {campaign.raters} raters"
        if campaign.overlap == campaign.prompts
        else f"{campaign.overlap} of {campaign.prompts} by each of {campaign.raters} raters, the others by one"
    )
    words = (
        f"<p><b>{standing.rated} of {standing.needed}</b> ratings; in raters' hands now: {standing.held}."
        f" Asked for: {shared}. Prompts with their answers: {standing.answered} of {campaign.prompts}.</p>"
    )
    bar = (
        f'<div class="progress" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{share:.0f}"'
        f' aria-label="Ratings made"><i style="width:{share:.1f}%"></i></div>'
    )
    link = f"/?campaign={escape(campaign.name)}"
    invite = (
        "<p>It is closed: nothing is handed out any more.</p>"
        if campaign.closed
        else f'<p>Link for raters: <a href="{link}"><code>{link}</code></a>, behind this app\'s address.</p>'
    )
    return _section(f"{escape(campaign.name)} · {state_of(standing)}", bar + words + invite)


def _raters(standing: Standing, raters: Sequence[RaterReport]) -> str:
    if not raters:
        return "<p>Nobody has rated yet.</p>"
    rows: list[tuple[str, Sequence[str]]] = []
    for report in raters:
        favourite, accord, speed = report.favourite, report.accord, report.words_a_minute
        cells = (
            str(report.votes),
            f"{favourite.pane.removeprefix('pane ')} {favourite.picks}/{favourite.votes}" if favourite else "–",
            f"{accord.value:.0%} <small>chance {accord.chance:.0%}</small>" if accord else "–",
            f"{speed:.0f}" if speed else "–",
            f"{report.repeated_alike}/{report.repeated}" if report.repeated else "–",
        )
        rows.append((escape(short(report.rater)), cells))
    remarks = "".join(
        f"<li>⚠️ <b>{escape(short(report.rater))}</b> {escape(remark)}</li>"
        for report in raters
        for remark in report.remarks
    )
    head = ("Rater", "Votes", "Favourite pane", "Agrees with others", "Words a minute", "Alike twice")
    listed = f"<ul class='remarks'>{remarks}</ul>" if remarks else "<p>Nothing speaks against any of them.</p>"
    return _table(head, rows) + listed


def _agreement(found: Mapping[str, Alpha]) -> str:
    rows: list[tuple[str, Sequence[str]]] = []
    for name, value in found.items():
        shown = "–" if value.value is None else f"{value.value:.2f}"
        cells = (shown, f"{value.low:.2f} to {value.high:.2f}", str(value.units))
        note = f"<small>{escape(value.note)}</small>" if value.note else ""
        rows.append((escape(JUDGED.get(name, name)) + note, cells))
    head = ("On", "Alpha", "95 % interval", "Prompts")
    words = (
        "<p>Krippendorff's alpha: 1 is perfect agreement, 0 what chance gives. From 0.67 on people draw tentative"
        " conclusions, from 0.8 on firm ones.</p>"
    )
    return words + _table(head, rows)


def _judges(judges: Sequence[JudgeReport]) -> str:
    rows: list[tuple[str, Sequence[str]]] = []
    for report in judges:
        share = (
            "–" if report.value is None else f"{report.value:.0%} <small>{report.low:.0%} to {report.high:.0%}</small>"
        )
        alpha = report.alpha
        kappa = "–" if alpha.value is None else f"{alpha.value:.2f} <small>{alpha.low:.2f} to {alpha.high:.2f}</small>"
        cells = (str(report.votes), str(report.ties), share, str(report.shared), kappa)
        rows.append((escape(report.rater), cells))
    head = ("Judge", "Pairs", "Ties", "As people", "of pairs", "Alpha")
    return "<p>Its votes are kept apart and count in no result of people.</p>" + _table(head, rows)


def short(rater: str) -> str:
    """A pseudonym, cut to what tells raters apart."""
    return rater if len(rater) <= 12 else f"{rater[:8]}…"


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A table whose rows are a name and its cells, all of them HTML.

    On a phone a row is a list, each cell after the title of its column. The roles repeat what the elements mean, since
    that layout takes the meaning away.
    """
    titles = "".join(f"<th scope='col' role='columnheader'>{title}</th>" for title in head)
    lines = []
    for name, cells in rows:
        shown = "".join(
            f"<td role='cell' data-of='{title}'><span>{cell}</span></td>"
            for title, cell in zip(head[1:], cells, strict=True)
        )
        lines.append(f"<tr role='row'><th scope='row' role='rowheader'>{name}</th>{shown}</tr>")
    return f"<table role='table'><thead><tr role='row'>{titles}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{title}</h2>{content}</section>"
