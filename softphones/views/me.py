"""A person's own softphones."""

from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def softphones(request):
    return render(request, "me/softphones.html", {"here": "mine"})


@require_safe
def lights(request):
    return render(request, "me/softphones.html#lights", {"here": "mine"})
