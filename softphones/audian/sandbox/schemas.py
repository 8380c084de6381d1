"""What a device and a user may hold, as JSON schemas (the facts of Kazoo 5's `devices`, `users` and `api_auth`).

Only what a softphone portal can meet is spelled out; everything else is accepted and kept, as Kazoo does. `default`
marks what the server writes into the stored document by itself.
"""

from .documents import merged

TEXT = {"type": "string"}
SWITCH = {"type": "boolean"}
WHOLE = {"type": "integer"}
TEXTS = {"type": "array", "items": TEXT}


def _object(**properties: dict) -> dict:
    return {"type": "object", "properties": properties}


def _text(least: int | None = None, most: int | None = None, **rules: str) -> dict:
    limits = {"minLength": least, "maxLength": most}
    return {"type": "string", **{rule: limit for rule, limit in limits.items() if limit is not None}, **rules}


def _one_of(*values: str, **rules: str) -> dict:
    return {"type": "string", "enum": list(values), **rules}


def _codecs(names: str, **rules: list) -> dict:
    return {"type": "array", "items": _one_of(*names.split()), "uniqueItems": True, **rules}


OFF = {"type": "boolean", "default": False}
ON = {"type": "boolean", "default": True}

_NAME_AND_NUMBER = {"name": _text(most=35), "number": _text(most=35)}
CALLER_ID = _object(
    internal=_object(**_NAME_AND_NUMBER),
    external=_object(**_NAME_AND_NUMBER),
    emergency=_object(**_NAME_AND_NUMBER),
    asserted=_object(**_NAME_AND_NUMBER, realm=TEXT),
)
AUDIO_CODECS = (
    "AMR AMR-WB CELT_32 CELT_48 CELT_64 CELT@32000h CELT@48000h CELT@64000h G7221@32000h G7221@16000h G722 G722_16"
    " G722_32 G729 GSM OPUS PCMA PCMU speex speex@16000h speex@32000h"
)
MEDIA = _object(
    audio={**_object(codecs=_codecs(AUDIO_CODECS)), "default": {}},
    video={**_object(codecs=_codecs("H261 H263 H263+ H264 VP8 VP9", default=[])), "default": {}},
    encryption={
        **_object(enforce_security=OFF, methods={"type": "array", "items": _one_of("zrtp", "srtp"), "default": []}),
        "default": {},
    },
    bypass_media={"oneOf": [SWITCH, {"enum": ["auto", "false", "true"]}]},
    fax_option=SWITCH,
    ignore_early_media=SWITCH,
    progress_timeout=WHOLE,
    webrtc=SWITCH,
)
MUSIC_ON_HOLD = _object(
    media_id=_text(most=2048), options={"type": "array", "items": _one_of("preserve-position", "random-start")}
)
RINGTONES = _object(internal=_text(most=256), external=_text(most=256))
CALL_RESTRICTION = {
    "type": "object",
    "additionalProperties": _object(action=_one_of("inherit", "deny")),
    "default": {},
}
CALL_FORWARD = {
    **_object(
        enabled=SWITCH,
        number=_text(most=35),
        direct_calls_only=SWITCH,
        ignore_early_media=SWITCH,
        keep_caller_id=SWITCH,
        require_keypress=SWITCH,
        substitute=SWITCH,
        busy={"type": "object"},
        no_answer={"type": "object"},
        selective={"type": "object"},
        unconditional={"type": "object"},
    ),
    "required": ["enabled"],
    "additionalProperties": False,
}
SIP = _object(
    username=_text(2, 32),
    password=_text(5, 32),
    method=_one_of("password", "ip", "authorization", default="password"),
    realm=_text(4, 253, pattern=r"^[.\w_-]+$"),
    ip=TEXT,
    invite_format=_one_of("username", "npan", "1npan", "e164", "route", "strip_plus", "contact", default="contact"),
    expire_seconds={"type": "integer", "default": 300},
    custom_sip_headers={"type": "object"},
    ignore_completed_elsewhere=SWITCH,
    custom_sip_interface=TEXT,
    forward=TEXT,
    number=TEXT,
    proxy=TEXT,
    route=TEXT,
    static_invite=TEXT,
    static_route=TEXT,
    transport=TEXT,
)
SHARED = {
    "addresses": {"type": "object"},
    "call_forward": CALL_FORWARD,
    "call_restriction": CALL_RESTRICTION,
    "caller_id": CALLER_ID,
    "caller_id_options": _object(outbound_privacy=_one_of("full", "name", "number", "none", "yes")),
    "contact_list": {**_object(exclude=SWITCH), "default": {}},
    "do_not_disturb": _object(enabled=SWITCH),
    "enabled": ON,
    "flags": TEXTS,
    "language": TEXT,
    "media": MEDIA,
    "music_on_hold": {**MUSIC_ON_HOLD, "default": {}},
    "presence_id": TEXT,
    "ringtones": {**RINGTONES, "default": {}},
    "timezone": TEXT,
}
DEVICE = {
    **_object(
        **SHARED,
        name=_text(1, 128),
        device_type=TEXT,
        owner_id=_text(32, 32),
        exclude_from_queues=OFF,
        hotdesk=_object(users={"type": "object", "patternProperties": {"^[a-zA-Z0-9]{32}$": {"type": "object"}}}),
        mac_address=TEXT,
        mobile=_object(mdn=TEXT),
        mwi_unsolicited_updates=ON,
        outbound_flags={"oneOf": [TEXTS, _object(static=TEXTS, dynamic=TEXTS)]},
        provision={"type": "object"},
        register_overwrite_notify=OFF,
        sip={**SIP, "default": {}},
        suppress_unregister_notifications=OFF,
    ),
    "required": ["name"],
}
DEVICE_OF_THE_PAGE = {**DEVICE, "properties": {**DEVICE["properties"], "owner_id": TEXT}}
"""The vendor's page shows `"owner_id": "user_123456"`, which Kazoo's 32 characters would refuse."""

USER = {
    **_object(
        **SHARED,
        first_name=_text(1, 128),
        last_name=_text(1, 128),
        email=_text(3, 254, format="email"),
        username=_text(1, 256, pattern=r"^([+@.\w_-]+)$"),
        password=TEXT,
        priv_level=_one_of("user", "admin", default="user"),
        feature_level=TEXT,
        hotdesk={
            **_object(
                enabled=OFF,
                id=_text(most=15),
                keep_logged_in_elsewhere=OFF,
                pin=_text(4, 15),
                require_pin=OFF,
            ),
            "default": {},
        },
        require_password_update=OFF,
        verified=OFF,
        vm_to_email_enabled=ON,
    ),
    "required": ["first_name", "last_name"],
}
API_AUTH = {**_object(api_key=_text(64, 64)), "required": ["api_key"], "additionalProperties": False}


def with_defaults(schema: dict, value: dict) -> dict:
    """`value` with every default of the schema that it lacks, also inside objects that are missing altogether."""
    filled = dict(value)
    for name, rule in schema.get("properties", {}).items():
        if name in filled:
            if isinstance(filled[name], dict):
                filled[name] = with_defaults(rule, filled[name])
        elif rule.get("type") == "object":
            below = with_defaults(rule, {})
            if below or "default" in rule:
                filled[name] = below
        elif "default" in rule:
            filled[name] = merged({}, {"it": rule["default"]})["it"]
    return filled
