"""The rows that a listing named, eight bytes each, so that a large account fits beside everything else."""

from array import array
from collections.abc import Iterable, Iterator


class Seen:
    """Primary keys of rows; one may come in more than once."""

    def __init__(self) -> None:
        self._keys = array("q")
        self._taken_back: set[int] = set()

    def update(self, keys: Iterable[int]) -> None:
        self._keys.extend(keys)

    def take_back(self, key: int) -> None:
        """It was listed, but is gone by now."""
        self._taken_back.add(key)

    def missing_among(self, keys: Iterable[int]) -> Iterator[int]:
        """Those of `keys`, which come in ascending order, that were not seen."""
        seen = iter(sorted(self._keys))
        latest = next(seen, None)
        for key in keys:
            while latest is not None and latest < key:
                latest = next(seen, None)
            if latest != key or key in self._taken_back:
                yield key
