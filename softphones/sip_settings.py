"""What an app has to be told about one phone, put together from its row and its account's."""

from softphones.clients import SipSettings
from softphones.models import Softphone


def settings_for(softphone: Softphone) -> SipSettings:
    """The settings of this phone. `password` is None where the portal does not know it or Audian has none.

    Reads `account` and `owner`: fetch them along (`select_related`) where many phones are shown.
    """
    account, owner = softphone.account, softphone.owner
    return SipSettings(
        server=account.sip_server,
        udp_port=account.sip_udp_port,
        tls_port=account.sip_tls_port,
        realm=softphone.sip_realm,
        username=softphone.sip_username,
        password=softphone.password or None,
        display_name=softphone.caller_id_name or (owner.name if owner else "") or softphone.name,
        number=softphone.number,
        transport=account.transport,
        srtp=account.srtp,
        stun_server=account.stun_server,
        stun_port=account.stun_port,
        wss_url=account.wss_url,
    )
