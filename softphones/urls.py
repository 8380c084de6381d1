from django.urls import path

from softphones.views import hooks, me, setup, staff

urlpatterns = [
    # My own softphones
    path("", me.softphones, name="softphones"),
    path("lights/", me.lights, name="lights"),
    path("softphones/<int:pk>/", setup.setup, name="setup"),
    path("softphones/<int:pk>/password/", setup.password_shown, name="password_shown"),
    path("softphones/<int:pk>/code/", setup.code, name="code"),
    path("softphones/<int:pk>/link/", setup.app_link, name="app_link"),
    path("softphones/<int:pk>/light/", setup.light, name="light"),
    # One-time links. No slash at the end: Linphone follows no redirect
    path("s/<str:token>", hooks.setup_link, name="setup_link"),
    path("zoiper", hooks.zoiper_link, name="zoiper"),
    # Staff. Last, because a slug is any word
    path("<slug:slug>/", staff.softphones, name="staff_softphones"),
]
