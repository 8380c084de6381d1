"""Times as pages show them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.dates import MONTHS_3
from django.utils.html import escape
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def moment(at: datetime, zone: str) -> SafeString:
    """`at` in the zone of this name (UTC if there is none of it), with the zone's short name. portal.js rewrites it in
    the viewer's own zone."""
    try:
        local = at.astimezone(ZoneInfo(zone))
    except (KeyError, ValueError):
        local = at.astimezone(UTC)
    year = "" if local.year == datetime.now(local.tzinfo).year else f" {local.year}"
    # By hand, since a list shows many: Django's date format takes three times as long.
    text = f"{local.day} {MONTHS_3[local.month].title()}{year}, {local:%H:%M} {local.tzname()}"
    return SafeString(f'<time datetime="{local.isoformat()}" data-time>{escape(text)}</time>')
