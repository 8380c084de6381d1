"""Addresses as people see them who need not know them."""

from django import template

from softphones.models.addresses import masked

register = template.Library()
register.filter("masked", masked)
