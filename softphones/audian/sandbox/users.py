"""/accounts/{id}/users: audian-api.md section 7."""

from typing import Any

from .dialects import Dialect
from .documents import MISSING, value_at
from .envelope import Answer, Request, invalid
from .listing import chosen_fields, listed, projected
from .resources import Resource, text
from .state import State
from .store import Entry
from .validation import validated

ROW = ("first_name", "last_name", "email", "username", "timezone", "presence_id", "feature_level")

FEATURES = {"caller_id": "caller_id", "call_forward": "call_forward.enabled", "hotdesk": "hotdesk.enabled"}
"""What a row lists as a feature, and the path that switches it on."""


class Users(Resource):
    """Users of the account. `enabled` is not in a list row, as on Kazoo."""

    def __init__(self, state: State, dialect: Dialect, *, honours_fields: bool, honours_if_match: bool):
        super().__init__(state, state.users, dialect, honours_if_match=honours_if_match)
        self.honours_fields = honours_fields

    def listing(self, request: Request) -> Answer:
        fields = chosen_fields(request.query) if self.honours_fields else None

        def row(entry: Entry, document: dict, defaults: dict) -> dict:
            return _row(entry, document) if fields is None else projected(entry, document, defaults, fields)

        return listed(self.collection, request.query, row, paging=self.dialect.paging)

    def checked(self, id: str, document: dict, old: dict | None) -> dict:
        document, errors = validated("user", document)
        document.pop("password", None)
        username = value_at(document, "username")
        if isinstance(username, str) and set(self.collection.of_username(username)) - {id}:
            errors.setdefault("username", {})["unique"] = {"message": "Username already in use", "cause": username}
        if errors:
            raise invalid(errors)
        return document

    def removed(self, request: Request, entry: Entry) -> None:
        """A user's phones stay behind, with a dangling owner, unless `object_types` names them."""
        types: Any = request.data.get("object_types") if isinstance(request.data, dict) else None
        if types == "all" or (isinstance(types, list) and "device" in types):
            for id_ in list(self.state.devices.of_owner(entry.id)):
                self.state.registrations.flush(id_)
                self.state.devices.remove(id_)


def _row(entry: Entry, document: dict) -> dict:
    return {
        "id": entry.id,
        **{name: text(document[name]) for name in ROW if name in document},
        "priv_level": document.get("priv_level", "user"),
        "features": [name for name in FEATURES if value_at(document, FEATURES[name]) not in (MISSING, False, {})],
        "flags": document.get("flags", []),
    }
