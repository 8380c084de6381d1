"""The pages that are measured, as requests of signed-in visitors, and what each has to keep."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote

from benchmarks.load import request

HOST = "portal.example.com"
# What stands for thousands of people, and for one of them.
NAMES = ("meyer", "rossi", "anna", "tara", "petrov", "julia", "young", "oliver")
WHOLE_NAMES = ("anna+schmidt", "tara+rossi", "julia+meyer", "oliver+petrov")
# People look for a number by its end: about a dozen have each of these.
ENDINGS = ("4217", "5301", "7788", "2490", "6153", "8842", "3076", "9514")
CSRF = "c" * 32


@dataclass(frozen=True)
class Limits:
    """Milliseconds of the median at one client and at several, requests a second at several; and the median at one client
    as a multiple of that of the empty view."""

    one: float | None = None
    several: float | None = None
    rate: float | None = None
    times_empty: float | None = None


@dataclass(frozen=True)
class Page:
    """A page, and the requests that each of its visitors sends over and over. Its answers hold `shows`."""

    name: str
    visitors: list[list[bytes]] = field(repr=False)
    shows: str
    limits: Limits = Limits()


STAFF = Limits(one=60, several=130, rate=60)


def pages(slug: str, middle: str, people: list[dict], staff: list[dict]) -> list[Page]:
    """All pages, from what `benchmarks.company` printed. The first is the empty view."""

    def of_staff(name: str, shows: str, paths: Iterable[str], limits: Limits = STAFF) -> Page:
        wanted = list(paths)
        return Page(
            name, [[_get(f"/{slug}/{path}", each) for path in _from(wanted, n)] for n, each in enumerate(staff)], shows, limits
        )

    def of_people(name: str, shows: str, wire, limits: Limits = Limits()) -> Page:
        # As many visitors as there are staff, each with some of the people's sessions.
        return Page(name, [[wire(each) for each in people[n :: len(staff)]] for n in range(len(staff))], shows, limits)

    return [
        of_people("Empty view", "", lambda each: _get("/empty/", each)),
        of_people("My softphones (home page)", "phone-", lambda each: _get("/", each), Limits(times_empty=4)),
        of_people("Set-up page", "steps-title", lambda each: _get(f"/softphones/{each['phone']}/", each), Limits(one=40)),
        of_people("Set-up page with QR code", 'role="img"', _code, Limits(one=40)),
        of_staff("Overview of staff", "waits-title", [""]),
        of_staff("Staff list, first page", "?after=", ["softphones/"]),
        of_staff("Staff list, a page in the middle", "?before=", [f"softphones/?after={quote(middle)}"]),
        of_staff("Staff list, by last connection", "?order=", ["softphones/?order=-seen"]),
        of_staff("Staff list, a word that thousands have", "<td>", [f"softphones/?text={name}" for name in NAMES]),
        of_staff("People, first page", "?after=", ["people/"]),
        of_staff("Search: a name that thousands have", "data-hit", [f"people/?q={name}" for name in NAMES]),
        of_staff("Search: the end of a number", "data-hit", [f"people/?q={ending}" for ending in ENDINGS]),
        of_staff("Search: two words", "data-hit", [f"people/?q={name}" for name in WHOLE_NAMES], Limits(one=60)),
    ]


def _from(paths: list[str], number: int) -> list[str]:
    """The same paths, begun at another one, so that no two visitors ask for the same at once."""
    number %= len(paths)
    return paths[number:] + paths[:number]


def _get(path: str, visitor: dict) -> bytes:
    return request(path, headers=headers(visitor))


def _code(visitor: dict) -> bytes:
    """The press of the button that draws a QR code, without JavaScript: the answer is the whole page."""
    path = f"/softphones/{visitor['phone']}/code/"
    form = f"csrfmiddlewaretoken={CSRF}&app=linphone"
    return request(path, headers=headers(visitor) | {"Origin": f"https://{HOST}"}, form=form)


def headers(visitor: dict) -> dict[str, str]:
    """What a browser sends, and the proxy before the portal."""
    return {
        "Host": HOST,
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Accept": "text/html,application/xhtml+xml",
        "Accept-Language": "en-US,en;q=0.5",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "198.51.100.20",
        "Cookie": f"__Host-session={visitor['cookie']}; __Host-csrf={CSRF}",
    }
