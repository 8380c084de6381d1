"""A new key in front: everything that is stored can be encrypted with it, and then the old one thrown away."""

import io
import json
import threading

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import decrypt
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast
from django.utils import timezone

from softphones import changes, key_rotation
from softphones.models import Account, Change, Softphone
from tests.factories import make_account, make_softphone, make_user

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
SECRET = "wP7kq3hTz9mB"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def keys(settings):
    """`keys(NEW, OLD)`: FIELD_ENCRYPTION_KEYS from now on."""

    def change(*given: str) -> None:
        settings.FIELD_ENCRYPTION_KEYS = list(given)

    return change


@pytest.fixture
def stored(keys):
    """One of everything that is encrypted, with the old key."""
    keys(OLD)
    account = make_account(slug="acme", api_key="k" * 64)
    phone = make_softphone(account, password=SECRET)
    make_softphone(account, password=None)
    changes.create(account=account, name="Desk", by=None, password="of-a-new-one", now=timezone.now())
    adam = make_user("adam@acme.example", account=account, role="admin")
    TOTP.activate(adam, "JBSWY3DPEHPK3PXP")
    codes = RecoveryCodes.activate(adam)
    codes.instance.data["used_mask"] = 5
    codes.instance.save()
    bea = make_user("bea@acme.example")
    migrated = {"migrated_codes": [keys_encrypt("11111111"), keys_encrypt("22222222")]}
    Authenticator.objects.create(user=bea, type=Authenticator.Type.RECOVERY_CODES, data=migrated)
    return phone


def keys_encrypt(text: str) -> str:
    return Fernet(OLD).encrypt(text.encode()).decode()


def rotate() -> dict:
    out = io.StringIO()
    call_command("rotate_keys", "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_after_a_rotation_the_new_key_alone_opens_everything(stored, keys):
    codes = RecoveryCodes(Authenticator.objects.get(data__used_mask=5)).generate_codes()
    keys(NEW, OLD)
    told = rotate()
    keys(NEW)
    assert told["rotated"] > 7
    assert (told["unchanged"], told["lost"]) == (0, 0)
    assert Account.objects.get().api_key == "k" * 64
    assert Softphone.objects.get(pk=stored.pk).password == SECRET
    assert Softphone.objects.filter(password__isnull=True).count() == 2
    assert Change.objects.get().password == "of-a-new-one"
    totp = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert decrypt(totp.data["secret"]) == "JBSWY3DPEHPK3PXP"
    kept = RecoveryCodes(Authenticator.objects.get(data__used_mask=5))
    assert kept.generate_codes() == codes
    migrated = RecoveryCodes(Authenticator.objects.get(user__email="bea@acme.example"))
    assert migrated.generate_codes() == ["11111111", "22222222"]


def test_a_second_one_finds_nothing_to_do(stored, keys):
    keys(NEW, OLD)
    first = rotate()
    before = everything()
    assert rotate() == {
        "rotated": 0,
        "unchanged": first["rotated"],
        "lost": 0,
        "left": 0,
        "message": f"0 values were encrypted again with the first key, {first['rotated']} were so already. "
        "The other keys are not needed any more.",
    }
    assert everything() == before


def test_one_that_was_interrupted_goes_on_where_it_was(stored, keys):
    keys(NEW, OLD)
    for number in range(3):
        make_softphone(Account.objects.get(), password=f"{number}-{SECRET}")
    keys(OLD)
    make_softphone(Account.objects.get(), password="the last one")
    keys(NEW, OLD)

    def stop(line: str) -> None:
        if line.startswith("softphones_softphone:"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_rotation.rotate(say=stop)
    told = rotate()
    assert told["unchanged"] >= 5
    assert told["rotated"] > 0
    keys(NEW)
    assert key_rotation.look() == key_rotation.Found(current=told["unchanged"] + told["rotated"])


def test_what_no_key_opens_is_named_and_left_alone(stored, keys):
    keys(LOST)
    Softphone.objects.filter(pk=stored.pk).update(password="of a key that is gone")
    keys(NEW, OLD)
    out = io.StringIO()
    with pytest.raises(CommandError) as failure:
        call_command("rotate_keys", "--json", stdout=out, stderr=io.StringIO())
    told = json.loads(out.getvalue())
    assert told["lost"] == 1
    assert told["rotated"] > 5
    assert f"No key in FIELD_ENCRYPTION_KEYS opens softphones_softphone.password of row {stored.pk}." in str(failure.value)
    keys(NEW, LOST)
    assert Softphone.objects.get(pk=stored.pk).password == "of a key that is gone"


def test_more_rows_than_a_batch_are_all_done(stored, keys, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 3)
    for number in range(8):
        make_softphone(Account.objects.get(), password=f"{number}-{SECRET}")
    keys(NEW, OLD)
    rotate()
    keys(NEW)
    found = set(Softphone.objects.exclude(password__isnull=True).values_list("password", flat=True))
    assert found == {SECRET} | {f"{number}-{SECRET}" for number in range(8)}


def test_what_somebody_writes_meanwhile_is_not_written_over(stored, keys):
    keys(NEW, OLD)
    writing, done = threading.Event(), threading.Event()

    def write() -> None:
        with transaction.atomic():
            Softphone.objects.filter(pk=stored.pk).update(password="newer")
            writing.set()
            done.wait(0.5)  # long enough to be met; how long does not decide anything
        connections.close_all()

    writer = threading.Thread(target=write)
    writer.start()
    writing.wait()
    told = rotate()
    done.set()
    writer.join()
    rotate()
    assert told["lost"] == 0
    keys(NEW)
    assert Softphone.objects.get(pk=stored.pk).password == "newer"


class WritesAgain(io.StringIO):
    """Reads along how a rotation goes, and each time writes a password as a process does that was not started again."""

    def __init__(self, phone: Softphone):
        super().__init__()
        self.phones = Softphone.objects.filter(pk=phone.pk)
        self.stored = self.phones.values_list(Cast("password", TextField()), flat=True).get()

    def write(self, text: str) -> int:
        if text.startswith("softphones_softphone:"):
            self.phones.update(password=Value(self.stored, output_field=TextField()))
        return super().write(text)


def test_while_somebody_still_writes_with_an_older_key_that_is_needed(stored, keys):
    somebody = WritesAgain(stored)
    keys(NEW, OLD)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Restart web, worker and beat, then run this again"):
        call_command("rotate_keys", "--json", stdout=out, stderr=somebody)
    told = json.loads(out.getvalue())
    assert (told["left"], told["lost"]) == (1, 0)
    assert "not needed any more" not in told["message"]


def everything() -> list[tuple]:
    with connection.cursor() as cursor:
        found = []
        for table in ("softphones_account", "softphones_softphone", "softphones_change", "mfa_authenticator"):
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
            found += cursor.fetchall()
    return found
