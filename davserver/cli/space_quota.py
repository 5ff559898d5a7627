"""`davserver space quota`: what spaces use, and what they may use."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import ByteSize

from acl import spaces
from acl.registry import Space
from acl.spaces import Usage
from config.errors import DatabaseUnavailable, StorageFull
from davserver.cli import places
from davserver.cli.command import Command, Size, data_option, json_option
from davserver.cli.opened import console, opened
from davserver.cli.output import show
from davserver.cli.wording import _
from davserver.documents import counts


@dataclass(frozen=True)
class Limit:
    """The most bytes a space may hold; None: as many as there is room for."""

    quota: ByteSize | None


class LimitType(click.ParamType[Limit, str]):
    """A size, or `none`."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Limit:
        return Limit(None if value == "none" else Size().convert(value, param, ctx))


@click.command(
    cls=Command,
    help="Say what a space, or each, uses and may use; or let it hold SIZE at most, or any (none).",
)
@click.argument("slug", metavar="SPACE", required=False)
@click.argument("limit", metavar="SIZE", type=LimitType(), required=False)
@json_option
@data_option
def quota(slug: str | None, limit: Limit | None, as_json: bool, data: Path) -> None:
    with opened(data) as place:
        if slug is not None and limit is not None:
            with place.write() as act:
                spaces.set_quota(act, slug, limit.quota)
        # Else a folder that was deleted a moment ago would still be among the documents. It may
        # well be a full disk that somebody looks into.
        with contextlib.suppress(StorageFull, DatabaseUnavailable):
            counts.count(place.documents(), console())
        registry = place.registry()
        listed = list(registry.spaces.values())
        if slug is not None:
            listed = [places.space(registry, slug)]
        with place.database.read() as connection:
            used = spaces.shares(connection, [space.id for space in listed])
    show(
        [{"space": space.slug, **of_space(space, used[space.id])} for space in listed],
        {
            "space": _("Space"),
            "live_bytes": _("Documents"),
            "history_bytes": _("History"),
            "used_bytes": _("Used"),
            "quota_bytes": _("Quota"),
            "free_bytes": _("Free"),
        },
        as_json=as_json,
    )


def of_space(space: Space, used: Usage) -> dict[str, ByteSize | None]:
    """What a space uses and may use, as commands show it."""
    quota = space.quota_bytes
    return {
        "live_bytes": _size(used.live),
        "history_bytes": _size(used.history),
        "used_bytes": _size(used.total),
        "quota_bytes": None if quota is None else ByteSize(quota),
        "free_bytes": None if quota is None else _size(quota - used.total),
    }


def _size(number: int) -> ByteSize:
    # Below nothing where documents were changed directly on the disk, or the quota was lowered.
    return ByteSize(max(0, number))
