"""The portal's own addresses, and a view that does nothing, behind the same middleware and sign-in."""

from django.http import HttpResponse
from django.urls import include, path


def empty(request):
    return HttpResponse()


urlpatterns = [path("empty/", empty), path("", include("portal.urls"))]
