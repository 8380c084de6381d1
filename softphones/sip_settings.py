"""What an app has to be told about one phone, put together from its row and its account's."""

from django.db.models import QuerySet

from softphones.clients import SipSettings
from softphones.models import Change, Softphone


def new_passwords() -> QuerySet[Change]:
    """The wishes that bring a new password and have not come to their end: until then no password of that phone is good.

    The old one is about to die, and the new one may not be at Audian yet.
    """
    return Change.objects.filter(state__in=Change.UNFINISHED, password__isnull=False)


def password_of(softphone: Softphone) -> str | None:
    """The password that may be handed on. None where it is unknown, Audian has none, or a new one is on its way.

    Whatever shows a password, or writes it into a document, takes it from here.
    """
    if not softphone.password or new_passwords().filter(account=softphone.account_id, softphone=softphone).exists():
        return None
    return softphone.password


def settings_for(softphone: Softphone, *, with_password: bool = True) -> SipSettings:
    """The settings of this phone. `password` is None where `password_of` says so, and where nobody asked for it.

    Reads `account` and `owner`: fetch them along (`select_related`) where many phones are shown.
    """
    account, owner = softphone.account, softphone.owner
    return SipSettings(
        server=account.sip_server,
        udp_port=account.sip_udp_port,
        tls_port=account.sip_tls_port,
        realm=softphone.sip_realm,
        username=softphone.sip_username,
        password=password_of(softphone) if with_password else None,
        display_name=softphone.caller_id_name or (owner.name if owner else "") or softphone.name,
        number=softphone.number,
        transport=account.transport,
        srtp=account.srtp,
        stun_server=account.stun_server,
        stun_port=account.stun_port,
        wss_url=account.wss_url,
    )
