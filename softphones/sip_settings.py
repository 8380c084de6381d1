"""What an app has to be told about one phone, put together from its row and its account's."""

from softphones.clients import SipSettings
from softphones.models import Change, Softphone


def password_of(softphone: Softphone) -> str | None:
    """The password that may be handed on. None where it is unknown, Audian has none, or a new one is on its way.

    Whatever shows a password, or draws a code or a link that leads to it, takes it from here.
    """
    return None if not softphone.password or awaits_password(softphone) else softphone.password


def awaits_password(softphone: Softphone) -> bool:
    """Whether a new password is on its way to Audian: the old one is about to die, and the new one is not good yet."""
    under_way = Change.objects.filter(account=softphone.account_id, softphone=softphone, state__in=Change.UNFINISHED)
    return under_way.filter(password__isnull=False).exists()


def settings_for(softphone: Softphone) -> SipSettings:
    """The settings of this phone. `password` is None where `password_of` says so.

    Reads `account` and `owner`: fetch them along (`select_related`) where many phones are shown.
    """
    account, owner = softphone.account, softphone.owner
    return SipSettings(
        server=account.sip_server,
        udp_port=account.sip_udp_port,
        tls_port=account.sip_tls_port,
        realm=softphone.sip_realm,
        username=softphone.sip_username,
        password=password_of(softphone),
        display_name=softphone.caller_id_name or (owner.name if owner else "") or softphone.name,
        number=softphone.number,
        transport=account.transport,
        srtp=account.srtp,
        stun_server=account.stun_server,
        stun_port=account.stun_port,
        wss_url=account.wss_url,
    )
