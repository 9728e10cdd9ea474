"""The objects that addresses name: several asked for at once, those of a pattern by listing the folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from frostline.stages.buckets.address import Address, place_address
from frostline.stages.buckets.client import Facts, head, listed
from frostline.stages.buckets.failures import NoObject
from frostline.stages.buckets.pool import POOL
from frostline.stages.datasets.buckets.blob import ObjectBlob
from frostline.stages.errors import DataError

_MAGIC = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"\*+|\[!?[^\]\\]+\]|.")


def open_object(place: str) -> ObjectBlob:
    """Return the object at an address. Raises DataError: there is none."""
    return ObjectBlob(place_address(place))


def matching_objects(name: str) -> list[ObjectBlob]:
    """Return the objects that an address with ``*``, ``?``, ``[…]`` or ``**`` stands for, sorted. Raises DataError."""
    address = place_address(name)
    if not address.lists:
        raise DataError(f"{address.shown} is a pattern, and {address.scheme} lists no files; name them by {{000..099}}")
    folder = _MAGIC.split(address.key)[0].rpartition("/")[0]
    wanted = re.compile(_translated(address.key))
    found = listed(address._replace(key=folder), deep="/" in address.key[len(folder) + 1 :])
    return [ObjectBlob(address._replace(key=key), facts) for key, facts in sorted(found) if wanted.fullmatch(key)]


def objects_at(places: Sequence[str]) -> list[ObjectBlob | None]:
    """Return the objects at addresses, None where there is none. Raises DataError for what else goes wrong."""
    addresses = [place_address(place) for place in places]
    found = zip(addresses, heads(addresses), strict=True)
    return [None if isinstance(facts, NoObject) else ObjectBlob(address, facts) for address, facts in found]


def is_object_pattern(name: str) -> bool:
    """Return whether an address without braces is a pattern. Of https, what follows ? is a query."""
    return bool(_MAGIC.search(name.partition("?")[0] if name.lower().startswith("http") else name))


def heads(addresses: Sequence[Address]) -> list[Facts | NoObject]:
    """Return what is known of each object, or that there is none, asked for at once. Raises DataError."""
    found = [POOL.submit(partial(_head, address)) for address in addresses]
    try:
        return [POOL.result(future) for future in found]
    finally:
        for future in found:
            future.cancel()


def _head(address: Address) -> Facts | NoObject:
    try:
        return head(address)
    except NoObject as error:
        return error


def _translated(key: str) -> str:
    """Return a pattern as a regular expression: a star stays in its folder, two stand for any folders."""
    return "".join(map(_of_folder, key.split("/"))).removesuffix("/")


def _of_folder(part: str) -> str:
    return "(?:.*/)?" if part == "**" else "".join(map(_meant, _TOKEN.findall(part))) + "/"


def _meant(token: str) -> str:
    if token[0] == "[" and len(token) > 1:
        return f"[{token[1:-1].replace('!', '^', 1) if token[1] == '!' else token[1:-1]}]"
    return {"*": "[^/]*", "?": "[^/]"}.get(token[0], re.escape(token))
