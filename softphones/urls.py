from django.urls import path

from softphones.views import changes, helpdesk, history, hooks, leavers, mails, me, second_factor, setup, sign_in, staff

urlpatterns = [
    # My own softphones
    path("", me.softphones, name="softphones"),
    path("lights/", me.lights, name="lights"),
    path("softphones/<int:pk>/", setup.setup, name="setup"),
    path("softphones/<int:pk>/password/", setup.password_shown, name="password_shown"),
    path("softphones/<int:pk>/code/", setup.code, name="code"),
    path("softphones/<int:pk>/link/", setup.app_link, name="app_link"),
    path("softphones/<int:pk>/light/", setup.light, name="light"),
    path("changes/<int:pk>/", changes.change, name="change"),
    path("changes/<int:pk>/again/", changes.change_again, name="change_again"),
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
    # The second factor of staff
    path("account/second-factor/", second_factor.index, name="second_factor"),
    path("account/second-factor/enter/", second_factor.ask, name="second_factor_ask"),
    path("account/second-factor/app/", second_factor.enrol_app, name="second_factor_app"),
    path("account/second-factor/passkey/", second_factor.enrol_passkey, name="second_factor_passkey"),
    path("account/second-factor/codes/", second_factor.recovery_codes, name="second_factor_codes"),
    path("account/second-factor/<int:pk>/remove/", second_factor.remove, name="second_factor_remove"),
    # Staff. Last, because a slug is any word
    path("<slug:slug>/changes/<int:pk>/", changes.staff_change, name="staff_change"),
    path("<slug:slug>/changes/<int:pk>/again/", changes.staff_change_again, name="staff_change_again"),
    path("<slug:slug>/people/", helpdesk.people, name="people"),
    path("<slug:slug>/people/<int:pk>/", helpdesk.person, name="person"),
    path("<slug:slug>/people/<int:pk>/confirm/", leavers.confirm, name="confirm_person"),
    path("<slug:slug>/people/<int:pk>/unlink/", leavers.unlink, name="unlink_person"),
    path("<slug:slug>/leavers/", leavers.leavers, name="leavers"),
    path("<slug:slug>/leavers/<str:audian_id>/close/", leavers.close, name="close_phones"),
    path("<slug:slug>/softphones/<int:pk>/", helpdesk.phone, name="desk_phone"),
    path("<slug:slug>/softphones/<int:pk>/state/", helpdesk.phone_state, name="phone_state"),
    path("<slug:slug>/softphones/<int:pk>/send/", helpdesk.send_link, name="send_link"),
    path("<slug:slug>/softphones/<int:pk>/reset/", helpdesk.reset, name="reset_password"),
    path("<slug:slug>/softphones/<int:pk>/off/", helpdesk.switch_off, name="switch_off"),
    path("<slug:slug>/softphones/<int:pk>/on/", helpdesk.switch_on, name="switch_on"),
    path("<slug:slug>/softphones/<int:pk>/links/revoke/", helpdesk.revoke_links, name="revoke_links"),
    path("<slug:slug>/history/", history.events, name="history"),
    path("<slug:slug>/history/export/", history.export, name="history_export"),
    path("<slug:slug>/mail/", mails.unsent, name="mails"),
    path("<slug:slug>/mail/<int:pk>/again/", mails.again, name="mail_again"),
    path("<slug:slug>/", staff.softphones, name="staff_softphones"),
]
