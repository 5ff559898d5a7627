"""`davserver who-can`: what the policy decides at a place, and why."""

from collections.abc import Iterator
from pathlib import Path

import click

from acl import policy
from acl.actor import Actor
from acl.errors import UnknownName
from acl.policy import Area, Decision
from acl.privileges import Privilege
from acl.registry import Account, Registry, Space
from config.language import Phrase
from davserver.cli import places
from davserver.cli.command import Command, data_option, json_option
from davserver.cli.opened import opened
from davserver.cli.output import show
from davserver.cli.wording import _, say
from davserver.documents.resource import locate

_WORDS = {
    Privilege.READ: Phrase("read"),
    Privilege.CREATE: Phrase("add"),
    Privilege.WRITE: Phrase("change"),
    Privilege.DELETE: Phrase("delete"),
    Privilege.MANAGE: Phrase("manage"),
}


@click.command("who-can", cls=Command, help="Say who may do what at a place, and why.")
@click.argument("place", metavar="PATH")
@click.option("--account", "login", metavar="LOGIN", help="Explain all about one account.")
@click.option("--agenda", is_flag=True, help="About the space's agenda, not its documents.")
@json_option
@data_option
def who_can(place: str, login: str | None, agenda: bool, as_json: bool, data: Path) -> None:
    slug, path = places.split(place)
    area = Area.AGENDA if agenda else Area.DOCUMENTS
    with opened(data) as here:
        registry = here.registry()
        space = places.space(registry, slug)
        if locate(here.store.space_root(slug), path) is None:
            click.echo(_("Nothing is there; this is what would hold."), err=True)
    question = _Question(registry, space, path, area)
    if login is not None:
        account = registry.by_login.get(login)
        if account is None:
            raise UnknownName(kind="account", name=login)
        if not account.active(here.now):
            click.echo(_("{login} cannot log in: disabled or expired.", login=login), err=True)
        _show_one(list(question.of(account)), as_json=as_json)
        return
    active = [account for account in registry.accounts.values() if account.active(here.now)]
    answers = [
        answer
        for account in sorted(active, key=lambda account: account.login)
        for answer in question.of(account)
        if answer.decision.allowed or answer.decision.busy_only
    ]
    _show_all(answers, as_json=as_json)


class _Answer:
    """One decision about one account, and how to say it."""

    def __init__(
        self,
        registry: Registry,
        space: Space,
        account: Account,
        privilege: Privilege,
        decision: Decision,
    ) -> None:
        self.account = account
        self.privilege = privilege
        self.decision = decision
        self.place = places.joined(space.slug, decision.list_path)
        self.roles = sorted({line.role.value for line in decision.members})
        self.through = sorted({registry.name_of(line) for line in decision.members})

    def record(self) -> dict[str, object]:
        """The answer, for JSON."""
        return {
            "account": self.account.login,
            "name": self.account.name,
            "privilege": self.privilege.name.lower(),
            "allowed": self.decision.allowed,
            "hidden": self.decision.hidden,
            "busy_only": self.decision.busy_only,
            "roles": self.roles,
            "through": self.through,
            "list": self.place,
            "reason": self.decision.reason.name.lower(),
        }

    def spoken(self) -> str:
        """The reason, as a sentence."""
        if self.decision.busy_only:
            return _("Depositors see when the agenda is busy, and nothing else.")
        return _(self.decision.reason.value)


class _Question:
    """One place that is asked about."""

    def __init__(self, registry: Registry, space: Space, path: str, area: Area) -> None:
        self._registry = registry
        self._space = space
        self._path = path
        self._area = area

    def of(self, account: Account) -> Iterator[_Answer]:
        """What the policy says of each privilege of `account`, logged in with its password."""
        for privilege in Privilege:
            decision = policy.decide(
                Actor.of(account), privilege, self._space, self._path, area=self._area
            )
            yield _Answer(self._registry, self._space, account, privilege, decision)


def _show_one(answers: list[_Answer], *, as_json: bool) -> None:
    records = [
        answer.record()
        if as_json
        else {
            "privilege": say(_WORDS[answer.privilege]),
            "allowed": answer.decision.allowed,
            "roles": answer.roles,
            "through": answer.through,
            "list": answer.place,
            "reason": answer.spoken(),
        }
        for answer in answers
    ]
    columns = {
        "privilege": _("May it"),
        "allowed": _("Answer"),
        "roles": _("Role"),
        "through": _("Through"),
        "list": _("Member list"),
        "reason": _("Why"),
    }
    show(records, columns, as_json=as_json)


def _show_all(answers: list[_Answer], *, as_json: bool) -> None:
    """One line for what an account may do for one reason."""
    lines: dict[tuple[str, str], dict[str, object]] = {}
    words: dict[tuple[str, str], list[str]] = {}
    for answer in answers:
        key = (answer.account.login, answer.spoken())
        words.setdefault(key, []).append(say(_WORDS[answer.privilege]))
        lines[key] = {
            "account": answer.account.login,
            "name": answer.account.name,
            "privileges": words[key],
            "roles": answer.roles,
            "through": answer.through,
            "list": answer.place,
            "reason": answer.spoken(),
        }
    columns = {
        "account": _("Account"),
        "name": _("Name"),
        "privileges": _("May"),
        "roles": _("Role"),
        "through": _("Through"),
        "list": _("Member list"),
        "reason": _("Why"),
    }
    records = [answer.record() for answer in answers] if as_json else list(lines.values())
    show(records, columns, as_json=as_json)
