from django.urls import include, path

from portal import health
from portal.metrics import metrics
from softphones.views import demo

handler400 = "portal.uploads.bad_request"

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("mail/", demo.mail, name="demo_mail"),
    path("", include("softphones.urls")),
]
