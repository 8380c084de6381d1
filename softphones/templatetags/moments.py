"""Times as pages show them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.dateformat import format
from django.utils.html import format_html
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
    day = "j M" if local.year == datetime.now(local.tzinfo).year else "j M Y"
    return format_html('<time datetime="{}" data-time>{}</time>', local.isoformat(), format(local, f"{day}, H:i T"))
