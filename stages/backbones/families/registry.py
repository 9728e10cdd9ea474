"""Which family a backbone's name belongs to.

A distribution adds a family, whose names then begin with its prefix, here ``mine:``, by an entry point::

    [project.entry-points."frostline.families"]
    mine = "my_package.family:FAMILY"
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from frostline.stages.backbones.families.base import BARE_NAMES, Family, LoadedModel
from frostline.stages.backbones.families.user_code import USER_CODE
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, listing
from frostline.stages.later_compiler import compiler_later
from frostline.stages.modalities.registry import check_taken
from frostline.stages.plugins import Door
from frostline.stages.user_code.locate import factory_file

_ROOM = "frostline.stages.backbones.families"
FAMILIES: Door[Family] = Door(
    "backbone family",
    "frostline.families",
    {
        "torchvision": f"{_ROOM}.torchvision:FAMILY",
        "shipped": f"{_ROOM}.shipped:FAMILY",
        "identity": f"{_ROOM}.identity:FAMILY",
        "hf": f"{_ROOM}.hf:FAMILY",
        "open_clip": f"{_ROOM}.open_clip:FAMILY",
        "st": f"{_ROOM}.st:FAMILY",
        "tfidf": f"{_ROOM}.tfidf:FAMILY",
        "timm": f"{_ROOM}.timm:FAMILY",
    },
    lambda found: isinstance(found, Family) and not isinstance(found, type),
)
_OPTIONAL = {"torchvision", *BARE_NAMES.values()}  # prefixes that may be left out


def family_of(name: str) -> tuple[Family, str]:
    """Return the family of a backbone's name, and what the family calls it: the name without the prefix.

    What no family is named by is a factory of the user's, there or not, if it has a colon.
    """
    prefix, rest = _split(name)
    if not prefix and ":" in name:
        return USER_CODE, name
    return FAMILIES.load(prefix or BARE_NAMES.get(name, "torchvision")), rest


def asked_of(request: BackboneRequest) -> tuple[Family, BackboneRequest]:
    """Return the family of a request's name, and the request as the family takes it."""
    family, rest = family_of(request.name)
    return family, replace(request, name=rest)


def check(request: BackboneRequest) -> None:
    """Raise ConfigError for families, names and weights that can't be; nothing heavy is imported for any that can."""
    check_family(request.name)
    family, own = asked_of(request)
    check_installed(request.name, family)
    with blamed(request.name):
        family.check(own)


def check_installed(name: str, family: Family) -> None:
    """Raise ConfigError, which says what to install, where a distribution that a family's backbone needs is missing."""
    for needed in family.versions:
        try:
            version(needed)
        except PackageNotFoundError as error:
            what = f"'frostline[{family.extra}]'" if family.extra else needed
            raise ConfigError(f"{name} needs {needed}, which is not installed; pip install {what}") from error


def check_family(name: str) -> None:
    """Raise ConfigError, which lists the families, where what stands before a colon is none, nor code of the user's."""
    prefix = name.partition(":")[0]
    if family_of(name)[0] is USER_CODE and prefix and not {".", "/"} & set(prefix) and not _is_module(prefix):
        known = [f"{one}:NAME  {_summary(one)}" for one in FAMILIES.names()]
        raise ConfigError(
            f"unknown backbone family {prefix!r}, and no module has that name; expected one of\n"
            + listing([*known, f"file.py:factory or pkg.module:factory  {USER_CODE.summary}"])
        )


def check_family_takes(name: str, modality: str) -> None:
    """Raise ConfigError where a backbone is known, before it is loaded, to take samples of another modality."""
    family, rest = family_of(name)
    with blamed(name):
        taken = family.taken_by(rest)
    if taken:
        check_taken(name, taken, modality)


def load(request: BackboneRequest) -> LoadedModel:
    """Return the network that a request names. Raises ConfigError."""
    check(request)
    family, own = asked_of(request)
    with blamed(request.name), compiler_later():
        return family.load(own)


def blamed(name: str) -> AbstractContextManager[None]:
    """Raise as ConfigError what the family of a backbone's name raises, if a distribution added it."""
    return FAMILIES.blamed(_split(name)[0])


def distribution_of(name: str) -> dict[str, str]:
    """Return the version of the distribution that added the family of a backbone's name, by its name."""
    return FAMILIES.distribution(_split(name)[0])


def full_name(name: str) -> str:
    """Return a backbone's name without a prefix that may be left out."""
    prefix, rest = _split(name)
    return rest if prefix in _OPTIONAL else name


def spec_name(name: str, known_as: str = "") -> str:
    """Return what keys call a backbone: its full name, alike wherever its files lie.

    ``known_as``: what its family calls it, once it is loaded, if that is another name than it was asked for by.
    """
    family, rest = family_of(name)
    return full_name(name).removesuffix(rest) + (known_as or family.portable(rest))


def _split(name: str) -> tuple[str, str]:
    prefix, colon, rest = name.partition(":")
    return (prefix, rest) if colon and prefix in FAMILIES else ("", name)


def _is_module(name: str) -> bool:
    try:
        factory_file(f"{name}:factory")
    except ConfigError:
        return False
    return True


def _summary(prefix: str) -> str:
    try:
        return FAMILIES.load(prefix).summary
    except ConfigError as error:
        return str(error)
