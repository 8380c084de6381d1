"""CSV files as spreadsheet programs open them."""

import csv
from collections.abc import Iterable, Iterator

#: A cell that starts with one of these is taken for a formula, or becomes one once a character before it is dropped
#: (https://owasp.org/www-community/attacks/CSV_Injection).
DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
BOM = "\ufeff"  # without it, Excel reads UTF-8 as the machine's old code page


class _Echo:
    def write(self, line: str) -> str:
        return line


def safe(text: str) -> str:
    """The cell such that no program computes it: with an apostrophe in front where it looks like a formula."""
    return f"'{text}" if text.startswith(DANGEROUS) else text


def lines(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """The lines of a CSV file in UTF-8, made while they are asked for; every cell is `safe`."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield BOM + writer.writerow(header)
    for row in rows:
        yield writer.writerow([safe(cell) for cell in row])
