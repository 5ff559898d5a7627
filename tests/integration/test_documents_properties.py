"""PROPFIND and PROPPATCH: what is shown of documents, at what cost, and what clients store."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.documents_client import (
    COLOUR,
    CONTRIBUTOR,
    DAV,
    MANAGER,
    READER,
    Client,
    Hall,
    at,
    href,
    plant,
    town,
)

IN_ALLPROP = {
    "resourcetype",
    "displayname",
    "getetag",
    "getlastmodified",
    "creationdate",
    "supportedlock",
    "lockdiscovery",
}
OF_DOCUMENTS = IN_ALLPROP | {"getcontentlength", "getcontenttype"}
COSTLY = {
    "current-user-privilege-set",
    "current-user-principal",
    "principal-collection-set",
}
WIN32 = "{urn:schemas-microsoft-com:}"


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    for hall in town(tmp_path / "data", database_url, propfind_max=20):
        hall.space("etroit", {"bruno": CONTRIBUTOR, "rita": READER}, quota_bytes=1_000)
        yield hall


@pytest.fixture
def bruno(hall: Hall) -> Client:
    return hall.client("bruno")


def local(props: Any) -> set[str]:
    return {name.removeprefix(DAV) for name in props}


def ask(client: Client, address: str, body: str, depth: str = "0") -> Any:
    return client.request(
        "PROPFIND",
        address,
        f'<D:propfind xmlns:D="DAV:" xmlns:x="urn:x">{body}</D:propfind>',
        {"Depth": depth},
    )


def test_allprop_is_what_rfc_4918_defines_and_what_clients_stored(bruno: Client) -> None:
    plant(bruno)
    for reply in (bruno.propfind(at("lettre.txt")), ask(bruno, at("lettre.txt"), "<D:allprop/>")):
        assert local(reply.props()) == OF_DOCUMENTS | {COLOUR}
        assert not reply.props(404)
    assert local(bruno.propfind(at("dossier")).props()) == IN_ALLPROP | {COLOUR}


def test_include_names_what_else_is_wanted(bruno: Client) -> None:
    plant(bruno)
    body = "<D:allprop/><D:include><D:current-user-principal/><D:nothing/></D:include>"
    reply = ask(bruno, at("lettre.txt"), body)
    assert local(reply.props()) == OF_DOCUMENTS | {COLOUR, "current-user-principal"}
    assert local(reply.props(404)) == {"nothing"}
    principal = reply.props()[f"{DAV}current-user-principal"]
    assert principal.findtext(f"{DAV}href") == "/calendars/bruno/"


def test_propname_gives_names_and_no_values(bruno: Client) -> None:
    plant(bruno)
    reply = ask(bruno, at("lettre.txt"), "<D:propname/>")
    assert local(reply.props()) == OF_DOCUMENTS | COSTLY | {COLOUR}
    assert all(prop.text is None and not len(prop) for prop in reply.props().values())
    folder = ask(bruno, at("dossier"), "<D:propname/>")
    assert local(folder.props()) == IN_ALLPROP | COSTLY | {COLOUR, "quota-used-bytes"}


def test_prop_gives_what_there_is_and_names_what_there_is_not(bruno: Client) -> None:
    plant(bruno)
    reply = ask(
        bruno,
        at("lettre.txt"),
        "<D:prop><D:getetag/><D:nothing/><x:colour/><x:shape/><bare xmlns=''/></D:prop>",
    )
    assert local(reply.props()) == {"getetag", COLOUR}
    assert local(reply.props(404)) == {"nothing", "{urn:x}shape", "bare"}
    assert ask(bruno, at("lettre.txt"), "<D:prop/>").status == 207


MALFORMED = [
    "<D:propfind xmlns:D='DAV:'>",
    "<D:propfind xmlns:D='DAV:'/>",
    "<D:propfind xmlns:D='DAV:'><D:allprop/><D:propname/></D:propfind>",
    "<D:propfind xmlns:D='DAV:'><D:prop/><D:prop/></D:propfind>",
    "<D:propfind xmlns:D='DAV:'><D:prop/><D:allprop/></D:propfind>",
    "<D:propfind xmlns:D='DAV:'><x/></D:propfind>",
    "<propfind><allprop/></propfind>",
    "<D:prop xmlns:D='DAV:'/>",
    "<x:y/>",
    "nonsense",
    "\x00",
    '<!DOCTYPE x [<!ENTITY e "e">]><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>',
    '<!DOCTYPE x SYSTEM "file:///etc/passwd"><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>',
    "<a>" * 10_000,
]


@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_propfind_is_refused(hall: Hall, bruno: Client, body: str) -> None:
    assert bruno.request("PROPFIND", at(""), body, {"Depth": "0"}).status == 400
    before = hall.snapshot()
    for method in ("PROPPATCH", "LOCK"):
        reply = bruno.request(method, at(""), body)
        assert (reply.status, hall.snapshot()) == (400, before)


@pytest.mark.parametrize("depth", ["2", "-1", "", "one", "infinite", "1,noroot"])
def test_a_depth_that_is_none(bruno: Client, depth: str) -> None:
    assert bruno.request("PROPFIND", at(""), b"", {"Depth": depth}).status == 400


def test_what_names_more_properties_than_anybody_needs(hall: Hall, bruno: Client) -> None:
    bruno.put(at("there"))
    before = hall.snapshot()
    names = "".join(f"<a{n}/>" for n in range(70_000))
    reply = ask(bruno, at(""), f"<D:prop>{names}</D:prop>")
    assert reply.status == 413
    body = f"<D:set><D:prop>{names}</D:prop></D:set>"
    reply = bruno.request(
        "PROPPATCH", at("there"), f'<D:propertyupdate xmlns:D="DAV:">{body}</D:propertyupdate>'
    )
    assert (reply.status, hall.snapshot()) == (413, before)
    reply = bruno.proppatch(at("there"), {f"{{urn:x}}{'n' * 5_000}": "long", COLOUR: "red"})
    assert (local(reply.props(507)), local(reply.props(424))) == (
        {f"{{urn:x}}{'n' * 5_000}"},
        {COLOUR},
    )
    assert hall.snapshot() == before


# Depth


def test_depth(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    assert bruno.list(at(""), "0") == []
    assert bruno.list(at(""), "1") == ["dossier", "lettre.txt"]
    assert bruno.list(at(""), "infinity") == [
        "dossier",
        "fiche.txt",
        "lettre.txt",
        "note.txt",
        "sous",
    ]
    # None means infinity (RFC 4918, 9.1).
    assert len(bruno.request("PROPFIND", at("")).responses()) == 6
    assert bruno.list("/", "0") == []
    assert bruno.list("/", "1") == ["history", "spaces"]
    assert bruno.list("/spaces/", "1") == ["conseil", "etroit"]
    # What properties there are is known of every one.
    shown = bruno.propfind(at(""), COLOUR, depth="infinity")
    assert {name for name in shown.names() if COLOUR in shown.props(200, name)} == {
        "dossier",
        "fiche.txt",
        "lettre.txt",
    }


def test_hrefs_of_collections_end_in_a_slash(bruno: Client) -> None:
    plant(bruno)
    for address in (at("dossier"), at("dossier/")):
        assert list(bruno.propfind(address, depth="0").responses()) == [at("dossier/")]
    assert set(bruno.propfind(at(""), "resourcetype", depth="1").responses()) == {
        at(""),
        at("dossier/"),
        at("lettre.txt"),
    }


def test_everything_below_a_large_folder_is_not_listed_at_once(hall: Hall, bruno: Client) -> None:
    for number in range(10):
        hall.write("conseil", f"a/{number}", b"")
        hall.write("conseil", f"b/{number}", b"")
    for address in (at(""), "/spaces/", "/"):
        for headers in ({"Depth": "infinity"}, {}):
            reply = bruno.request("PROPFIND", address, b"", headers)
            assert (reply.status, reply.precondition) == (403, f"{DAV}propfind-finite-depth")
    assert len(bruno.list(at("a"), "infinity")) == 10
    assert len(bruno.list(at("a"), "1")) == 10
    # However many there are, one folder is listed.
    for number in range(10, 40):
        hall.write("conseil", f"a/{number}", b"")
    assert len(bruno.list(at("a"), "1")) == 40


@contextmanager
def statements(hall: Hall) -> Iterator[list[str]]:
    """The SQL that is run."""
    found: list[str] = []

    def note(
        connection: object, cursor: object, statement: str, parameters: object, *rest: object
    ) -> None:
        found.append(statement)

    sa.event.listen(hall.database.engine, "before_cursor_execute", note)
    yield found
    sa.event.remove(hall.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("login", ["bruno", "denis", "rita"])
def test_a_listing_takes_the_same_few_queries_however_long_it_is(hall: Hall, login: str) -> None:
    client, bruno = hall.client(login), hall.client("bruno")
    props = ("getetag", "lockdiscovery", "current-user-privilege-set", "quota-used-bytes", COLOUR)
    counts = []
    for total in (2, 60):
        for number in range(total - len(hall.documents("conseil"))):
            hall.write("conseil", f"{total}-{number}", b"")
            bruno.proppatch(at(f"{total}-{number}"))
        bruno.lock(at(f"{total}-0"))
        client.put(at(f"{login}-{total}"))
        client.list(at(""))
        with statements(hall) as run:
            client.propfind(at(""), *props, depth="1")
            client.propfind(at(""), depth="1")
        counts.append(len(run))
    assert counts[0] == counts[1] < 25, run


# What the properties say


def test_resourcetype_and_displayname(bruno: Client) -> None:
    plant(bruno)
    folder = bruno.propfind(at("dossier"))
    assert [child.tag for child in folder.props()[f"{DAV}resourcetype"]] == [f"{DAV}collection"]
    document = bruno.propfind(at("lettre.txt"))
    assert not list(document.props()[f"{DAV}resourcetype"])
    assert document.text("displayname") == "lettre.txt"
    assert bruno.propfind(at("")).text("displayname") == "Conseil municipal"
    assert bruno.propfind("/spaces/").text("displayname") == "spaces"
    assert bruno.propfind("/").text("displayname") == "davserver"


def test_quota_of_spaces_and_of_nothing_else(hall: Hall, bruno: Client) -> None:
    quota = ("quota-available-bytes", "quota-used-bytes")
    bruno.put(href("etroit", "a"), b"x" * 100)
    bruno.put(href("etroit", "a"), b"x" * 200)
    bruno.mkcol(href("etroit", "folder"))
    for address in (href("etroit"), href("etroit", "folder")):
        # What history keeps takes room as well.
        reply = bruno.propfind(address, *quota)
        assert [reply.text(name) for name in quota] == ["700", "300"]
    document = bruno.propfind(href("etroit", "a"), *quota)
    assert not document.props() and local(document.props(404)) == set(quota)
    # Without a quota there is no bound to tell of.
    unbounded = bruno.propfind(at(""), *quota)
    assert (local(unbounded.props()), local(unbounded.props(404))) == ({quota[1]}, {quota[0]})
    for above in ("/", "/spaces/"):
        assert local(bruno.propfind(above, *quota).props(404)) == set(quota)


@pytest.mark.parametrize(
    "agent, told",
    [
        ("WebDAVFS/3.0.0 (03008000) Darwin/24.4.0 (arm64)", False),
        ("WebDAVLib/1.3", True),
        ("Microsoft-WebDAV-MiniRedir/10.0.22631", True),
        ("gvfs/1.50.3", True),
        ("", True),
    ],
)
def test_quota_is_not_told_to_macos_which_hangs_on_it(
    bruno: Client, agent: str, told: bool
) -> None:
    reply = bruno.propfind(
        href("etroit"), "quota-available-bytes", "quota-used-bytes", "getetag", agent=agent
    )
    assert len(reply.props()) == (3 if told else 1)


PRIVILEGES = {
    "rita": {"read", "read-current-user-privilege-set"},
    "denis": {"read", "read-current-user-privilege-set", "bind"},
    "bruno": {
        *("read", "read-current-user-privilege-set", "bind", "unbind"),
        *("write", "write-content", "write-properties"),
    },
    "chloe": {
        *("read", "read-current-user-privilege-set", "bind", "unbind", "unlock", "all"),
        *("write", "write-content", "write-properties"),
    },
}


@pytest.mark.parametrize("login", PRIVILEGES)
def test_current_user_privilege_set_is_what_the_policy_says(hall: Hall, login: str) -> None:
    plant(hall.client("bruno"))
    hall.restrict("conseil", "Presse", {"rita": MANAGER, login: READER})
    client = hall.client(login)
    reply = client.propfind(at(""), "current-user-privilege-set", depth="1")

    def privileges(name: str | None) -> set[str]:
        held = reply.props(200, name)[f"{DAV}current-user-privilege-set"]
        return {privilege[0].tag.removeprefix(DAV) for privilege in held}

    assert privileges(None) == PRIVILEGES[login]
    if login != "denis":
        assert privileges("lettre.txt") == PRIVILEGES[login]
    assert privileges("Presse") == PRIVILEGES["rita"] | ({"unlock"} if login == "chloe" else set())


# PROPPATCH


VALUES = {
    "plain": "<x:a>text</x:a>",
    "empty": "<x:a/>",
    "nested": '<x:a><x:b at="1"><D:c/>mixed<x:d>text</x:d> tail</x:b></x:a>',
    "unicode": "<x:a>Élan 😀 &amp; &lt;tag&gt;</x:a>",
    "white space": "<x:a>  two\n lines  </x:a>",
    "language": '<x:a xml:lang="fr">bonjour</x:a>',
    "CDATA": "<x:a><![CDATA[<not> & parsed]]></x:a>",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_property_is_given_back_as_it_was_stored(bruno: Client, value: str) -> None:
    bruno.put(at("there"))
    update = f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop>{value}'
    reply = bruno.request("PROPPATCH", at("there"), f"{update}</D:prop></D:set></D:propertyupdate>")
    assert local(reply.props()) == {"{urn:x}a"}
    shown = bruno.propfind(at("there"), "{urn:x}a").props()["{urn:x}a"]
    sent = ET.fromstring(f'<r xmlns:D="DAV:" xmlns:x="urn:x">{value}</r>')[0]
    assert ET.canonicalize(ET.tostring(shown)) == ET.canonicalize(ET.tostring(sent))


def test_all_of_a_request_or_nothing(hall: Hall, bruno: Client) -> None:
    bruno.put(at("there"))
    before = hall.snapshot()
    for protected in ("getetag", "resourcetype", "quota-used-bytes", "lockdiscovery"):
        reply = bruno.proppatch(at("there"), {COLOUR: "red", DAV + protected: "x"})
        assert reply.status == 207
        assert local(reply.props(403)) == {protected}
        assert local(reply.props(424)) == {COLOUR}
        assert f"{DAV}cannot-modify-protected-property" in {
            element.tag for element in reply.xml.iter()
        }
        assert hall.snapshot() == before
    reply = bruno.proppatch(at("there"), {COLOUR: "red", f"{DAV}getlastmodified": "nonsense"})
    assert (local(reply.props(409)), hall.snapshot()) == ({"getlastmodified"}, before)


def test_what_is_said_last_counts(bruno: Client) -> None:
    bruno.put(at("there"))
    body = "".join(
        f"<D:{verb}><D:prop><x:a>{text}</x:a></D:prop></D:{verb}>"
        for verb, text in (("set", "1"), ("remove", ""), ("set", "2"))
    )
    reply = bruno.request(
        "PROPPATCH",
        at("there"),
        f'<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x">{body}</D:propertyupdate>',
    )
    assert local(reply.props()) == {"{urn:x}a"}
    assert bruno.propfind(at("there"), "{urn:x}a").props()["{urn:x}a"].text == "2"
    bruno.proppatch(at("there"), {"{urn:x}a": None})
    assert "{urn:x}a" in bruno.propfind(at("there"), "{urn:x}a").props(404)
    # To remove what is not there is no error (RFC 4918, 14.23).
    assert local(bruno.proppatch(at("there"), {"{urn:x}a": None}).props()) == {"{urn:x}a"}


def test_displayname_is_the_clients_to_choose(bruno: Client) -> None:
    bruno.put(at("there"))
    bruno.proppatch(at("there"), {f"{DAV}displayname": "Là-bas & <ici>"})
    assert bruno.propfind(at("there")).text("displayname") == "Là-bas & <ici>"
    bruno.proppatch(at("there"), {f"{DAV}displayname": None})
    assert bruno.propfind(at("there")).text("displayname") == "there"


def test_what_explorer_stores_of_a_file(hall: Hall, bruno: Client) -> None:
    bruno.put(at("there"))
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    reply = bruno.proppatch(
        at("there"),
        {
            f"{WIN32}Win32CreationTime": date,
            f"{WIN32}Win32LastAccessTime": date,
            f"{WIN32}Win32LastModifiedTime": date,
            f"{WIN32}Win32FileAttributes": "00000020",
        },
    )
    assert len(reply.props()) == 4
    shown = bruno.propfind(at("there"))
    assert shown.text("getlastmodified") == date
    assert shown.props()[f"{WIN32}Win32FileAttributes"].text == "00000020"


def test_times_of_documents_and_folders_can_be_set(hall: Hall, bruno: Client) -> None:
    plant(bruno)
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    for path in ("lettre.txt", "dossier"):
        etag = bruno.propfind(at(path)).text("getetag")
        bruno.proppatch(at(path), {f"{DAV}getlastmodified": date})
        shown = bruno.propfind(at(path))
        assert shown.text("getlastmodified") == date
        assert shown.text("getetag") != etag
    assert bruno.get(at("lettre.txt")).body == b"lettre"
    hall.consistent()
