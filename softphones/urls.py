from django.urls import path

from softphones.views import hooks, me, setup, sign_in, staff

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
    # Signing in
    path("sign-in/", sign_in.sign_in, name="account_login"),
    path("sign-in/code/", sign_in.code, name="sign_in_code"),
    path("sign-in/password/", sign_in.password, name="sign_in_password"),
    path("sign-out/", sign_in.sign_out, name="account_logout"),
    path("confirm/", sign_in.confirm, name="prove"),
    path("account/password/", sign_in.set_password, name="set_password"),
    # Staff. Last, because a slug is any word
    path("<slug:slug>/", staff.softphones, name="staff_softphones"),
]
