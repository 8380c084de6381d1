"""What happened, as the history tells it."""

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from softphones import acts
from softphones.models import AuditEvent

register = template.Library()


@register.simple_tag
def happened(event: AuditEvent, *, whole: bool = False) -> SafeString:
    """The sentence of an audit event; each name in it is isolated from the direction of the words around it.

    `whole`: addresses are not masked.
    """
    said = acts.sentence(event, name=lambda name: format_html("<bdi>{}</bdi>", name), text=conditional_escape, whole=whole)
    return mark_safe(said)  # noqa: S308  (every part went through one of the two)


@register.filter
def actor_address(event: AuditEvent) -> str:
    """The address that the actor had, where the sentence does not say it already."""
    return acts.address(event.actor_label)


@register.filter
def outcome(event: AuditEvent) -> str:
    return acts.outcome(event)
