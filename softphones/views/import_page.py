"""What the page of bulk work shows: its words for each kind, how far it is, and which of its rows."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, ngettext_lazy

from softphones import imports
from softphones.import_forms import StartForm, UploadForm
from softphones.models import Import

Kind, State = Import.Kind, Import.State
Text = str | Promise


@dataclass(frozen=True, slots=True)
class Words:
    """How a kind of bulk work is called: its page, the question before the start, the button, and what it comes to."""

    headline: Text
    question: Text
    button: Text
    done: Text
    means: Text = ""


_WORDS = {
    Kind.CREATE: Words(
        lazy("Softphones for %(name)s"),
        ngettext_lazy("%(count)d softphone will be created.", "%(count)d softphones will be created.", "count"),
        ngettext_lazy("Create %(count)d softphone", "Create %(count)d softphones", "count"),
        lazy("created"),
    ),
    Kind.ENABLE: Words(
        lazy("Switch on %(name)s"),
        ngettext_lazy("%(count)d softphone will be switched on.", "%(count)d softphones will be switched on.", "count"),
        ngettext_lazy("Switch on %(count)d softphone", "Switch on %(count)d softphones", "count"),
        lazy("switched on"),
    ),
    Kind.DISABLE: Words(
        lazy("Switch off %(name)s"),
        ngettext_lazy("%(count)d softphone will be switched off.", "%(count)d softphones will be switched off.", "count"),
        ngettext_lazy("Switch off %(count)d softphone", "Switch off %(count)d softphones", "count"),
        lazy("switched off"),
        lazy("Nobody can call or be called with them until they are switched on again. Open set-up links end."),
    ),
    Kind.RESET: Words(
        lazy("New passwords for %(name)s"),
        ngettext_lazy("%(count)d softphone gets a new password.", "%(count)d softphones get new passwords.", "count"),
        ngettext_lazy("Reset %(count)d password", "Reset %(count)d passwords", "count"),
        lazy("reset"),
        lazy(
            "Every app that uses one of them needs the new password. Nobody here sees it; each person sets up their app again."
        ),
    ),
    Kind.SEND_LINKS: Words(
        lazy("Mail the set-up page to the people of %(name)s"),
        ngettext_lazy("%(count)d mail will be sent.", "%(count)d mails will be sent.", "count"),
        ngettext_lazy("Send %(count)d mail", "Send %(count)d mails", "count"),
        lazy("mailed"),
        lazy("Each mail says where the person sets up their phone. It holds no password and no link that opens by itself."),
    ),
    Kind.DELETE: Words(
        lazy("Delete %(name)s"),
        ngettext_lazy("%(count)d softphone will be deleted.", "%(count)d softphones will be deleted.", "count"),
        ngettext_lazy("Delete %(count)d softphone", "Delete %(count)d softphones", "count"),
        lazy("deleted"),
        lazy("A deleted softphone can’t be brought back; a new one has another password."),
    ),
}
#: Which rows can be looked at, and what those are called.
SHOWS = {"notices": lazy("To look at"), **imports.STATUSES}
#: How soon the page looks again, as htmx writes it. What waits for somebody's decision takes longer.
_LOOKS = {"running": "1500ms", "stopped": "1500ms", "cancelled": "1500ms", "paused": "10s", "held": "10s"}


@dataclass(frozen=True, slots=True)
class Tab:
    """A choice of rows: how many there are, and where it leads."""

    show: str
    name: Text
    count: int


def words(batch: Import) -> dict[str, Text]:
    said = _WORDS[Kind(batch.kind)]
    count = {"count": batch.will}
    is_named = batch.parent_id or (batch.kind == Kind.CREATE and batch.is_file)
    return {
        "headline": batch.name if is_named else said.headline % {"name": batch.name},
        "question": said.question % count,
        "button": said.button % count,
        "done": said.done,
        "means": said.means,
    }


def context(batch: Import, query: dict[str, str], *, now: datetime, form: StartForm | None = None) -> dict:
    """What the page and its moving part show. `query`: show, after, before."""
    progress = imports.progress(batch=batch, now=now)
    is_checked = batch.state == State.CHECKED
    shown = {"batch": batch, "progress": progress, "words": words(batch), "is_checked": is_checked}
    shown |= {"looks_every": _LOOKS.get(progress.state, "") if progress.moves and not is_checked else ""}
    if is_checked:
        shown |= _question(batch, form)
    elif progress.seconds_left is not None:
        shown |= {"left": lasts(progress.seconds_left)}
    return shown | _rows(batch, query, is_shown=is_checked or not progress.moves)


def _question(batch: Import, form: StartForm | None) -> dict:
    said = imports.summary(batch)
    return {
        "said": said,
        "lasts": lasts(said.seconds),
        "form": form or StartForm(batch=batch, said=said),
        "upload": UploadForm(initial={"instead_of": batch.pk}),
    }


def _rows(batch: Import, query: dict[str, str], *, is_shown: bool) -> dict:
    show = query.get("show", "") if query.get("show") in {*SHOWS, "all"} else ""
    counted = imports.counts(batch)
    total = sum(counted.values())
    if not (total and (is_shown or show)):
        return {"page": None, "tabs": [], "show": "", "query": ""}
    page = imports.rows(batch, show="" if show == "all" else show, after=query.get("after", ""), before=query.get("before", ""))
    tabs = [Tab("all", _("All"), total)]
    tabs += [Tab(name, SHOWS[name], count) for name, count in counted.items() if count]
    if batch.state == State.CHECKED and (count := batch.rows.filter(rank=1).count()):
        tabs.insert(1 + bool(counted["error"]), Tab("notices", SHOWS["notices"], count))
    return {"page": page, "tabs": tabs, "show": show or "all", "query": urlencode({"show": show or "all"})}


def lasts(seconds: int) -> str:
    """About how long that is, for people."""
    if seconds < 90:
        return ngettext("about %(count)d second", "about %(count)d seconds", seconds) % {"count": max(seconds, 1)}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("about %(count)d minute", "about %(count)d minutes", minutes) % {"count": minutes}
    return _("about %(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}
