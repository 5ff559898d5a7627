"""XML in and out: bodies that are understood or refused, and multistatus that any parser reads."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import MalformedRequest
from davserver.dav import body, multistatus, propfind, proppatch
from davserver.dav.propfind import Asked, Mode
from davserver.errors import TooLarge, UnsupportedBody

D = "{DAV:}"
MODIFIED = f"{D}getlastmodified"
WIN32 = "{urn:schemas-microsoft-com:}Win32LastModifiedTime"


def root(text: str | bytes) -> body.Element | None:
    data = text.encode() if isinstance(text, str) else text
    return body.parse({"wsgi.input": io.BytesIO(data)})


def dav(name: str, content: str) -> str:
    return f'<D:{name} xmlns:D="DAV:" xmlns:x="urn:x">{content}</D:{name}>'


# Bodies


@pytest.mark.parametrize("text", ["", " ", "\r\n\t"])
def test_no_body(text: str) -> None:
    assert root(text) is None


@pytest.mark.parametrize(
    "data",
    [
        '<?xml version="1.0"?><a/>',
        '<?xml version="1.0" encoding="utf-8" ?>\n<a/>\n',
        "<!-- comment --><a/>",
        "\ufeff<a/>",
        '<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>'.encode("latin-1"),
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16"),
    ],
)
def test_bodies(data: str | bytes) -> None:
    found = root(data)
    assert found is not None and found.tag == "a"


@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a b=c/>",
        "<x:a/>",
        "<a>&undeclared;</a>",
        "<a>\x01</a>",
        b"<a>\xe9</a>",
        b"\xff\xfe",
        '<?xml version="1.0" encoding="no-such"?><a/>',
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a SYSTEM "http://192.0.2.1/x"><a/>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b "b"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        "<a>" * 5_000 + "</a>" * 5_000,
    ],
    ids=lambda data: str(data)[:40],
)
def test_bodies_that_are_refused(data: str | bytes) -> None:
    with pytest.raises(MalformedRequest):
        root(data)


@settings(deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60)))
def test_every_body_is_parsed_or_refused(data: str | bytes) -> None:
    try:
        root(data if isinstance(data, bytes) else data.encode("utf-8", "replace"))
    except MalformedRequest:
        pass


def test_a_body_where_none_belongs() -> None:
    body.refuse({"wsgi.input": io.BytesIO(b"")})
    with pytest.raises(UnsupportedBody):
        body.refuse({"wsgi.input": io.BytesIO(b"x")})


@pytest.mark.parametrize(
    "name, expected",
    [
        ("{DAV:}a", ("DAV:", "a")),
        ("a", ("", "a")),
        ("{urn:x}a", ("urn:x", "a")),
        ("{http://h/a}b}c", ("http://h/a", "b}c")),
    ],
)
def test_clark(name: str, expected: tuple[str, str]) -> None:
    assert body.clark(name) == expected


def test_a_property_keeps_the_language_around_it() -> None:
    found = root('<a xml:lang="fr"><b><c>bonjour</c></b></a>')
    assert found is not None
    assert 'lang="fr"' in body.serialise(found[0][0])


# PROPFIND

ASKED = [
    ("<D:allprop/>", Asked(Mode.ALLPROP)),
    ("<D:propname/>", Asked(Mode.PROPNAME)),
    ("<D:prop/>", Asked(Mode.PROP)),
    ("<D:prop><D:a/><x:b/></D:prop>", Asked(Mode.PROP, ("{DAV:}a", "{urn:x}b"))),
    ("<D:prop><D:a/><!-- --><D:a/></D:prop>", Asked(Mode.PROP, ("{DAV:}a",))),
    ("<D:prop><a/></D:prop>", Asked(Mode.PROP, ("a",))),
    (
        "<D:allprop/><D:include><x:b/></D:include>",
        Asked(Mode.ALLPROP, ("{urn:x}b",)),
    ),
    ("<D:include><x:b/></D:include><D:allprop/>", Asked(Mode.ALLPROP, ("{urn:x}b",))),
    ("<x:unknown/><D:allprop/>", Asked(Mode.ALLPROP)),
    ("", None),
    ("<x:unknown/>", None),
    ("<D:include/>", None),
    ("<D:allprop/><D:propname/>", None),
    ("<D:allprop/><D:prop/>", None),
    ("<D:prop/><D:prop/>", None),
    ("<D:allprop/><D:allprop/>", None),
]


@pytest.mark.parametrize("content, expected", ASKED)
def test_propfind(content: str, expected: Asked | None) -> None:
    if expected is None:
        with pytest.raises(MalformedRequest):
            propfind.parse(root(dav("propfind", content)))
    else:
        assert propfind.parse(root(dav("propfind", content))) == expected


def test_propfind_without_a_body_asks_for_all() -> None:
    assert propfind.parse(None) == Asked(Mode.ALLPROP)


@pytest.mark.parametrize("text", ['<D:prop xmlns:D="DAV:"/>', "<propfind><allprop/></propfind>"])
def test_what_is_no_propfind(text: str) -> None:
    with pytest.raises(MalformedRequest):
        propfind.parse(root(text))


# PROPPATCH


def instructions(content: str) -> proppatch.Instructions:
    return proppatch.parse(root(dav("propertyupdate", content)))


def set_(*props: str) -> str:
    return f"<D:set><D:prop>{''.join(props)}</D:prop></D:set>"


def remove(*props: str) -> str:
    return f"<D:remove><D:prop>{''.join(props)}</D:prop></D:remove>"


def test_proppatch_sets_and_removes() -> None:
    found = instructions(set_("<x:a>1</x:a>", "<b/>") + remove("<x:c/>"))
    assert list(found.updates) == ["{urn:x}a", "b", "{urn:x}c"]
    value = found.updates["{urn:x}a"]
    assert value is not None and ET.fromstring(value).text == "1"
    assert found.updates["{urn:x}c"] is None
    assert (found.modified, found.refused) == (None, {})


def test_the_last_word_on_a_property_counts() -> None:
    found = instructions(set_("<x:a>1</x:a>") + remove("<x:a/>"))
    assert found.updates == {"{urn:x}a": None}
    found = instructions(remove("<x:a/>") + set_("<x:a>1</x:a>"))
    assert found.updates["{urn:x}a"] is not None


DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SPECIAL = [
    (set_(f"<D:getlastmodified>{DATE}</D:getlastmodified>"), 784111777, {}),
    (set_(f"<D:getlastmodified> {DATE} </D:getlastmodified>"), 784111777, {}),
    (set_("<D:getlastmodified>nonsense</D:getlastmodified>"), None, {MODIFIED: "409"}),
    (set_("<D:getlastmodified/>"), None, {MODIFIED: "409"}),
    (remove("<D:getlastmodified/>"), None, {MODIFIED: "403"}),
    (set_("<D:getetag>x</D:getetag>"), None, {f"{D}getetag": "403"}),
    (remove("<D:getetag/>"), None, {f"{D}getetag": "403"}),
    (set_("<D:resourcetype><D:collection/></D:resourcetype>"), None, {f"{D}resourcetype": "403"}),
    (set_("<D:displayname>x</D:displayname>"), None, {}),
    (set_(f"<x:{'a' * 490}/>"), None, {}),
    (set_(f"<x:{'a' * 500}/>"), None, {"{urn:x}" + "a" * 500: "507"}),
]


@pytest.mark.parametrize("content, modified, refused", SPECIAL, ids=range(len(SPECIAL)))
def test_what_the_server_computes(
    content: str, modified: int | None, refused: dict[str, str]
) -> None:
    found = instructions(content)
    assert found.modified == modified
    assert {name: status[:3] for name, status in found.refused.items()} == refused


def test_explorer_sets_the_time_and_gets_its_property_back() -> None:
    text = f'<w:Win32LastModifiedTime xmlns:w="urn:schemas-microsoft-com:">{DATE}'
    found = instructions(set_(f"{text}</w:Win32LastModifiedTime>"))
    assert found.modified == 784111777
    assert DATE in (found.updates[WIN32] or "")


@pytest.mark.parametrize(
    "content",
    ["", "<D:set/>", "<D:set><D:prop/></D:set>", "<D:set><x:a/></D:set>", "<x:other/>"],
)
def test_malformed_proppatch(content: str) -> None:
    with pytest.raises(MalformedRequest):
        instructions(content)


def test_what_is_no_proppatch() -> None:
    for text in ("", dav("propfind", set_("<x:a/>")), "<propertyupdate/>"):
        with pytest.raises(MalformedRequest):
            proppatch.parse(root(text))


def test_more_properties_than_anybody_needs() -> None:
    def many(count: int) -> str:
        return "".join(f"<x:a{number}/>" for number in range(count))

    assert len(instructions(set_(many(body.NAMES_MAX))).updates) == body.NAMES_MAX
    propfind.parse(root(dav("propfind", f"<D:prop>{many(body.NAMES_MAX)}</D:prop>")))
    with pytest.raises(TooLarge):
        instructions(set_(many(body.NAMES_MAX + 1)))
    with pytest.raises(TooLarge):
        propfind.parse(root(dav("propfind", f"<D:prop>{many(body.NAMES_MAX + 1)}</D:prop>")))


# Multistatus


def parsed(*responses: str) -> ET.Element:
    return ET.fromstring(b"".join(multistatus.stream(responses)))


@pytest.mark.parametrize("name", ["{DAV:}a", "{urn:x}a", "a", "{urn:\"x\"&'y'<z>}a", "{urn:x}é"])
@pytest.mark.parametrize("content", ["", "text", "<b/>"])
def test_elements(name: str, content: str) -> None:
    text = multistatus.element(name, content)
    element = ET.fromstring(f'<r xmlns:D="DAV:">{text}</r>')[0]
    assert element.tag == name
    assert (element.text or "") + "".join(f"<{child.tag}/>" for child in element) == content


def test_responses() -> None:
    text = multistatus.response(
        "/a&b/%3C",
        [
            ("200 OK", [multistatus.element("{DAV:}a")], ""),
            ("404 Not Found", [multistatus.element("{urn:x}b")], "<D:error/>"),
        ],
    )
    (response,) = parsed(text)
    assert response.findtext(f"{D}href") == "/a&b/%3C"
    found = [
        (propstat.findtext(f"{D}status"), [prop.tag for prop in propstat.find(f"{D}prop") or ()])
        for propstat in response.iterfind(f"{D}propstat")
    ]
    assert found == [("HTTP/1.1 200 OK", [f"{D}a"]), ("HTTP/1.1 404 Not Found", ["{urn:x}b"])]


def test_a_long_listing_comes_in_pieces_and_is_one_document() -> None:
    texts = [multistatus.response(f"/{number}", []) for number in range(10_000)]
    pieces = list(multistatus.stream(texts))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < 2 * 64 * 1024
    assert len(ET.fromstring(b"".join(pieces))) == 10_000
    assert len(parsed()) == 0


def test_the_reply_to_a_proppatch_says_all_or_nothing() -> None:
    done = proppatch.reply("/x", instructions(set_("<x:a/>", "<x:b/>")))
    assert [status.text for status in parsed(done).iter(f"{D}status")] == ["HTTP/1.1 200 OK"]
    refused = proppatch.reply("/x", instructions(set_("<x:a/>", "<D:getetag/>", "<x:b/>")))
    found = {
        prop.tag: (propstat.findtext(f"{D}status") or "").split()[1]
        for propstat in parsed(refused).iter(f"{D}propstat")
        for prop in propstat.find(f"{D}prop") or ()
    }
    assert found == {"{urn:x}a": "424", f"{D}getetag": "403", "{urn:x}b": "424"}
