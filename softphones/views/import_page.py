"""What the page of bulk work shows: its words for each kind, how far it is, and which of its rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext, ngettext_lazy

from softphones import imports, vitals
from softphones.import_forms import StartForm, UploadForm
from softphones.models import Import

Kind, State = Import.Kind, Import.State
Text = str | Promise


@dataclass(frozen=True, slots=True)
class Words:
    """How a kind of bulk work is called: its page, the question before the start, the button, what its rows will come to,
    what they came to, what those are that stay as they are; why there may be nothing to do, and what people should know."""

    headline: Text
    question: Text
    button: Text
    will: Text
    done: Text
    stays: Text
    nothing: Text
    means: Text = ""


_WORDS = {
    Kind.CREATE: Words(
        lazy("Softphones for %(name)s"),
        ngettext_lazy("%(count)d softphone will be created", "%(count)d softphones will be created", "count"),
        ngettext_lazy("Create %(count)d softphone", "Create %(count)d softphones", "count"),
        lazy("Will be created"),
        lazy("created"),
        lazy("Already there"),
        lazy("All of it is there already."),
    ),
    Kind.ENABLE: Words(
        lazy("Switch on %(name)s"),
        ngettext_lazy("%(count)d softphone will be switched on", "%(count)d softphones will be switched on", "count"),
        ngettext_lazy("Switch on %(count)d softphone", "Switch on %(count)d softphones", "count"),
        lazy("Will be switched on"),
        lazy("switched on"),
        lazy("Switched on already"),
        lazy("All of them are switched on already."),
    ),
    Kind.DISABLE: Words(
        lazy("Switch off %(name)s"),
        ngettext_lazy("%(count)d softphone will be switched off", "%(count)d softphones will be switched off", "count"),
        ngettext_lazy("Switch off %(count)d softphone", "Switch off %(count)d softphones", "count"),
        lazy("Will be switched off"),
        lazy("switched off"),
        lazy("Switched off already"),
        lazy("All of them are switched off already."),
        lazy("Nobody can call or be called with them until somebody switches them on again. Open set-up links end."),
    ),
    Kind.RESET: Words(
        lazy("New passwords for %(name)s"),
        ngettext_lazy("%(count)d softphone will get a new password", "%(count)d softphones will get new passwords", "count"),
        ngettext_lazy("Reset %(count)d password", "Reset %(count)d passwords", "count"),
        lazy("Gets a new password"),
        lazy("reset"),
        lazy("Nothing to do"),
        lazy("None of them can get a new password."),
        lazy("Every app that uses one of them needs the new password. Nobody here sees it: people set up their app again."),
    ),
    Kind.SEND_LINKS: Words(
        lazy("Mail the set-up page to the people of %(name)s"),
        ngettext_lazy("%(count)d mail will be sent", "%(count)d mails will be sent", "count"),
        ngettext_lazy("Send %(count)d mail", "Send %(count)d mails", "count"),
        lazy("Will be mailed"),
        lazy("mailed"),
        lazy("Mailed before"),
        lazy("There is nobody to mail."),
        lazy("Each mail says where the person sets up their phone, after signing in. It holds no password."),
    ),
    Kind.DELETE: Words(
        lazy("Delete %(name)s"),
        ngettext_lazy("%(count)d softphone will be deleted", "%(count)d softphones will be deleted", "count"),
        ngettext_lazy("Delete %(count)d softphone", "Delete %(count)d softphones", "count"),
        lazy("Will be deleted"),
        lazy("deleted"),
        lazy("Deleted already"),
        lazy("All of them are deleted already."),
        lazy("A deleted softphone can’t be brought back; a new one has another password."),
    ),
}
_TITLES = {
    "running": lazy("Under way"),
    "stopped": lazy("Waiting for Audian"),
    "held": lazy("Audian asks to accept charges"),
    "paused": lazy("Paused"),
    "cancelled": lazy("The rest was cancelled"),
    "finished": lazy("Finished"),
}
#: How soon the page looks again, as htmx writes it. What waits for somebody's decision takes longer.
_SOON, _LATER = "1500ms", "10s"
_LOOKS = {"paused": _LATER, "held": _LATER}
#: What somebody has to look at comes first.
_ORDER = ("failed", "error", "waiting", "will_create", "will_do", "made", "cancelled", "exists", "skipped")
_QUERY = ("show", "after", "before")
#: How long a worker may take to begin, and the seconds between its sweeps, which beat asks for every 30 seconds.
BEGINS_WITHIN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Tab:
    """A choice of rows: how many there are, and how the address asks for them."""

    show: str
    name: Text
    count: int


def with_headlines(batches: list[Import]) -> list[Import]:
    """The same, each with its `headline`: what it is, in a line."""
    for batch in batches:
        is_named = batch.parent_id or (batch.kind == Kind.CREATE and batch.is_file)
        batch.headline = batch.name if is_named else _WORDS[Kind(batch.kind)].headline % {"name": batch.name}
    return batches


def _words(batch: Import) -> dict[str, Text]:
    """Its words, for this many."""
    said, count = _WORDS[Kind(batch.kind)], {"count": batch.will}
    undoes = batch.kind == Kind.DELETE and batch.parent_id
    return {
        "headline": with_headlines([batch])[0].headline,
        "question": said.question % count,
        "button": _("Start") if batch.owned else said.button % count,
        "done": said.done,
        "stay": _("Each is looked at once more right before it is deleted. What somebody uses is kept.") if undoes else "",
        "nothing": _("Somebody may use each of them, or it is gone already: nothing is deleted.") if undoes else said.nothing,
        "means": said.means,
    }


def context(batch: Import, query: QueryDict, *, now: datetime, form: StartForm | None = None) -> dict:
    """What the page and its moving parts show. `query`: of the address; `form`: the question as it was answered, if it was."""
    progress = imports.progress(batch=batch, now=now)
    is_checked = batch.state == State.CHECKED
    moves = progress.moves and not is_checked
    asked = {name: query[name] for name in _QUERY if query.get(name)}
    shown = {
        "batch": batch,
        "progress": progress,
        "title": _TITLES.get(progress.state, ""),
        "words": _words(batch),
        "is_checked": is_checked,
        "looks_every": _LOOKS.get(progress.state, _SOON) if moves else "",
        "left": "" if progress.seconds_left is None else lasts(progress.seconds_left),
        "silent_here": _no_worker(batch, progress, now) if progress.state == "running" else "",
        "asks_here": progress.offer is not None,
        "waits_here": progress.state == "stopped",
        "query": urlencode(asked),
    }
    shown |= _question(batch, form, now) if is_checked else _after(batch, progress, moves=moves)
    return shown | _rows(batch, asked, is_asked=not moves)


def lasts(seconds: int) -> str:
    """About how long that is, as people say it."""
    if seconds < 8:
        return _("a few seconds")
    if seconds < 90:
        rounded = 5 * round(seconds / 5)
        return ngettext("about %(count)d second", "about %(count)d seconds", rounded) % {"count": rounded}
    minutes = round(seconds / 60)
    if minutes < 90:
        return ngettext("about %(count)d minute", "about %(count)d minutes", minutes) % {"count": minutes}
    return _("about %(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def _no_worker(batch: Import, progress: imports.Progress, now: datetime) -> str:
    """What to say where nothing of it moves, because no worker is there to move it; "" otherwise."""
    if progress.per_second or batch.started_at is None or now - batch.started_at < BEGINS_WITHIN:
        return ""
    return str(vitals.NO_WORKER) if vitals.is_silent() else ""


def _question(batch: Import, form: StartForm | None, now: datetime) -> dict:
    said = imports.summary(batch, now=now)
    return {
        "said": said,
        "lasts": lasts(said.seconds),
        "form": form or StartForm(batch=batch, said=said),
        "upload": UploadForm(initial={"instead_of": batch.pk}),
        "columns": imports.columns() if batch.problems else [],
    }


def _after(batch: Import, progress: imports.Progress, *, moves: bool) -> dict:
    """What can be done with an import that was started."""
    return {
        "upload": UploadForm(),
        "later": [] if moves else with_headlines(imports.following(batch)),
        "is_new": batch.kind == Kind.CREATE,
        "is_there": batch.kind == Kind.CREATE and not moves and imports.still_there(batch).exists(),
        "missing": 0 if moves else progress.failed + progress.errors + progress.ended,
    }


def _rows(batch: Import, asked: dict[str, str], *, is_asked: bool) -> dict:
    """A page of rows. While it moves they are not read, unless somebody asked for them."""
    nothing = {"page": None, "tabs": [], "show": ""}
    if not (is_asked or asked):
        return nothing
    counted = imports.counts(batch)
    total = sum(counted.values())
    if not total:
        return nothing
    tabs = _tabs(batch, counted)
    show = asked.get("show") or ("failed" if counted["failed"] else "all")
    show = show if show in {tab.show for tab in tabs} else "all"
    marks = {name: asked.get(name, "") for name in ("after", "before")}
    page, names = imports.rows(batch, show="" if show == "all" else show, **marks), _names(batch)
    for row in page.rows:
        row.word = names[row.status]
    return {"page": page, "tabs": tabs, "show": show}


def _tabs(batch: Import, counted: dict[str, int]) -> list[Tab]:
    names = _names(batch)
    tabs = [Tab(status, names[status], counted[status]) for status in _ORDER if counted[status]]
    if batch.state == State.CHECKED and (count := batch.rows.filter(rank=1).count()):
        tabs.insert(bool(counted["error"]), Tab("notices", _("To look at"), count))
    return [Tab("all", _("All"), sum(counted.values())), *tabs]


def _names(batch: Import) -> dict[str, Text]:
    """What people call the statuses of rows of this kind."""
    said = _WORDS[Kind(batch.kind)]
    undoes = batch.kind == Kind.DELETE and batch.parent_id
    own = {"made": capfirst(said.done), "exists": _("Kept") if undoes else said.stays}
    own |= {} if batch.is_file else {"error": _("Not possible")}
    return imports.STATUSES | own | {"will_create": said.will, "will_do": said.will}
