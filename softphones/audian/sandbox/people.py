"""Believable people and phones, the same for the same seed.

The first people are fixed, so that a demo can name them; then come the odd ones (accents, apostrophes, long names,
right-to-left, disabled, without owner, with an owner who is gone); then as many ordinary ones as are asked for.
"""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

COMPANY_DOMAIN = "acme.example"
PASSWORD_LETTERS = "23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ"
NAME_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
FIRST_EXTENSION = 1001


@dataclass(frozen=True)
class Person:
    """Somebody to seed: how many softphones, and what is odd about them."""

    first: str
    last: str
    mailbox: str
    phones: int = 1
    enabled: bool = True
    phone_enabled: bool = True


FIXED = (
    Person("Alice", "Smith", "alice"),
    Person("Bob", "Jones", "bob", phones=2),
    Person("Carla", "Nuñez", "carla", phones=0),
    Person("Helen", "Desk", "helen"),
    Person("Adam", "Admin", "adam"),
    Person("Front", "Desk A", "frontdesk"),
    Person("Front", "Desk B", "frontdesk"),
)
ODD = (
    Person("Seán", "O'Brien", "sean.obrien"),
    Person("Zoë", "Müller-Lüdenscheidt", "zoe.mueller"),
    Person("Łukasz", "Wiśniewski", "lukasz.wisniewski"),
    Person("D'Arcy", "d'Angelo", "darcy.dangelo"),
    Person("محمد", "الأحمد", "mohammed.alahmad"),
    Person("Nguyễn Thị", "Minh Khai", "minhkhai.nguyen"),
    Person("Hubert Blaine", "Wolfeschlegelsteinhausenbergerdorff Senior of Philadelphia", "hubert.wolfe"),
    Person("Dora", "Disabled", "dora.disabled", phone_enabled=False),
    Person("Gus", "Gone-Home", "gus.gonehome", enabled=False),
)
FIRST_NAMES = (
    "Anna Ben Chloé Daniel Elena Felix Grace Hannah Ivan Julia Kofi Laura Marek Nadia Oliver Paula Quentin Rosa Samir"
    " Tara Umar Vera William Ximena Yusuf Zofia Jürgen Søren Siobhán André"
)
LAST_NAMES = (
    "Abbott Baker Castillo Dubois Eriksen Fischer García Hughes Ivanova Jensen Kowalski Lambert Meyer Novák O'Connor"
    " Petrov Quinn Rossi Schmidt Tanaka Underwood Valdez Walker Xu Young Zimmermann Åkesson Brontë McDonald Okafor"
)
OTHER_PHONES = (("sip_device", "Desk phone", 5), ("cellphone", "Cell Phone", 10), ("landline", "Landline", 40))


@dataclass(frozen=True)
class Seeded:
    """One document to store. `ordinary` marks the generated people's phones."""

    kind: str
    id: str
    document: dict
    ordinary: bool = False


class Population:
    """Draws everything from one seeded generator, in one order."""

    def __init__(self, softphones: int, seed: int):
        self._left = softphones
        self._random = random.Random(f"people {seed}")
        self._extension = FIRST_EXTENSION
        self._usernames: set[str] = set()
        self._first_names, self._last_names = FIRST_NAMES.split(), LAST_NAMES.split()

    def __iter__(self) -> Iterator[Seeded]:
        """All users and devices of an account with exactly as many softphones as asked for; none for 0."""
        if self._left < 1:
            return
        for person in FIXED:
            yield from self._person(person)
        yield Seeded("device", self._id(), self._other("fax", "Front Desk - fax", None))
        if self._left:
            yield self._softphone("Reception Lobby - softphone", None, "Reception Lobby", "")
        if self._left:
            yield self._softphone("Petra Past - softphone", self._id(), "Petra Past", "1900")
        for person in ODD:
            if self._left:
                yield from self._person(person)
        number = 0
        while self._left:
            number += 1
            yield from self._person(self._somebody(number), number)

    def _person(self, person: Person, number: int = 0) -> Iterator[Seeded]:
        owner, extension = self._id(), str(self._extension)
        self._extension += 1
        name = f"{person.first} {person.last}"
        yield Seeded("user", owner, self._user(person, name, extension))
        for phone in range(min(person.phones, self._left)):
            suffix = "softphone" if phone == 0 else f"softphone {phone + 1}"
            yield self._softphone(
                f"{name} - {suffix}", owner, name, extension, enabled=person.phone_enabled, ordinary=number > 0
            )
        for device_type, label, each in OTHER_PHONES:
            if number % each == 1:
                yield Seeded("device", self._id(), self._other(device_type, f"{name} - {label}", owner))

    def _somebody(self, number: int) -> Person:
        first, last = self._random.choice(self._first_names), self._random.choice(self._last_names)
        mailbox = f"{plain(first)}.{plain(last)}{number}"
        return Person(first, last, mailbox, phones=2 if number % 25 == 0 else 1, phone_enabled=number % 60 != 0)

    @staticmethod
    def _user(person: Person, name: str, extension: str) -> dict:
        username = f"{person.mailbox}@{COMPANY_DOMAIN}"
        if person.mailbox == "frontdesk":
            username = f"{person.mailbox}.{extension}@{COMPANY_DOMAIN}"
        return {
            "first_name": person.first,
            "last_name": person.last,
            "email": f"{person.mailbox}@{COMPANY_DOMAIN}",
            "username": username,
            "presence_id": extension,
            "enabled": person.enabled,
            "priv_level": "user",
            "caller_id": {"internal": {"name": name[:35], "number": extension}},
        }

    def _softphone(
        self, name: str, owner: str | None, shown: str, extension: str, *, enabled: bool = True, ordinary: bool = False
    ) -> Seeded:
        self._left -= 1
        document = {
            "name": name,
            "device_type": "softphone",
            "enabled": enabled,
            "sip": {"username": self._username(), "password": self._password()},
            "suppress_unregister_notifications": True,
        }
        if owner:
            document["owner_id"] = owner
        document["caller_id"] = {"internal": {"name": shown[:35]} | ({"number": extension} if extension else {})}
        return Seeded("device", self._id(), document, ordinary)

    def _other(self, device_type: str, name: str, owner: str | None) -> dict:
        document: dict = {"name": name, "device_type": device_type, "enabled": True}
        if owner:
            document["owner_id"] = owner
        if device_type in ("sip_device", "fax"):
            document["mac_address"] = f"{self._random.getrandbits(48):012x}"
            document["sip"] = {"username": self._username(), "password": self._password()}
        else:
            number = f"+1555{self._random.randrange(10**7):07d}"
            document["call_forward"] = {"enabled": True, "number": number}
        return document

    def _id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"

    def _username(self) -> str:
        while True:
            username = "user_" + "".join(self._random.choices(NAME_LETTERS, k=10))
            if username not in self._usernames:
                self._usernames.add(username)
                return username

    def _password(self) -> str:
        return "".join(self._random.choices(PASSWORD_LETTERS, k=12))


def plain(name: str) -> str:
    """A name as the front of an e-mail address: lower case ASCII letters only."""
    replaced = name.lower().replace("ø", "o").replace("ł", "l")
    return "".join(c for c in unicodedata.normalize("NFKD", replaced) if "a" <= c <= "z")
