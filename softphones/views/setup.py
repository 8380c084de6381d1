"""The page on which a person sets up one phone."""

from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from softphones.access import REVEAL, SEE, softphone_for


@require_safe
def setup(request, pk):
    return render(request, "setup/page.html", {"softphone": softphone_for(request.user, pk, SEE)})


@require_POST
def password_shown(request, pk):
    return render(request, "setup/page.html", {"softphone": softphone_for(request.user, pk, REVEAL)})


@require_POST
def code(request, pk):
    return render(request, "setup/page.html", {"softphone": softphone_for(request.user, pk, REVEAL)})


@require_POST
def app_link(request, pk):
    return render(request, "setup/page.html", {"softphone": softphone_for(request.user, pk, REVEAL)})


@require_safe
def light(request, pk):
    return render(request, "setup/page.html", {"softphone": softphone_for(request.user, pk, SEE)})
