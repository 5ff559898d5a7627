"""What nobody should send: a clear answer to each, nothing changed, and the server goes on."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree import ElementTree

import pytest

from tests.server.town import LOCKINFO, SPACE, Town, event
from tests.server.wire import Answer, Header, Wire, ask, chunked, head

FILE = f"{SPACE}/a.txt"
AGENDA = "/calendars/anne/conseil"
CONTENT = b"what was there before"
NAME = "Mairie de Sacré-Cœur « l’été »"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    # A name that no header can hold as it is.
    town = Town.found(
        tmp_path_factory.mktemp("hostile") / "data",
        environment={"DAVSERVER_ORGANISATION__NAME": NAME},
    )
    with town.server:
        town.put(FILE, CONTENT)
        assert town.ask("anne", "MKCOL", f"{SPACE}/d").status == 201
        town.put(f"{AGENDA}/there.ics", event("there", "Séance"))
        yield town
    town.server.cli("check")


@pytest.fixture(autouse=True)
def goes_on(town: Town) -> Iterator[None]:
    """After all that, the server serves on, and has met nothing that it did not expect."""
    since = town.server.log.stat().st_size
    yield
    town.check_alive(since)
    assert town.ask("anne", "GET", FILE).body == CONTENT


def error(answer: Answer) -> None:
    """A clear error: with a sentence, and without the program's insides."""
    assert 400 <= answer.status < 500, answer
    assert answer.body.strip(), answer
    for word in ("Traceback", 'File "', ".py", "root:", "sqlalchemy"):
        assert word not in answer.text, answer


# XML

D = 'xmlns:D="DAV:"'
C = 'xmlns:C="urn:ietf:params:xml:ns:caldav"'
ROOTS = {
    "PROPFIND": f"<D:propfind {D}><D:prop>%s</D:prop></D:propfind>",
    "PROPPATCH": f"<D:propertyupdate {D}><D:set><D:prop>%s</D:prop></D:set></D:propertyupdate>",
    "LOCK": LOCKINFO.decode().partition("?>")[2].replace("essai", "%s"),
    "REPORT": f"<C:calendar-query {D} {C}><D:prop>%s</D:prop></C:calendar-query>",
    "MKCALENDAR": f"<C:mkcalendar {D} {C}><D:set><D:prop>%s</D:prop></D:set></C:mkcalendar>",
    "MKCOL": f"<D:mkcol {D}><D:set><D:prop>%s</D:prop></D:set></D:mkcol>",
}
PLACES = [
    ("PROPFIND", FILE),
    ("PROPPATCH", FILE),
    ("LOCK", FILE),
    ("PROPFIND", AGENDA),
    ("PROPPATCH", AGENDA),
    ("REPORT", AGENDA),
    ("MKCALENDAR", "/calendars/anne/neu"),
    ("MKCOL", "/calendars/anne/neu"),
]
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(12))


def bodies(root: str, secret: Path) -> dict[str, bytes]:
    """Bodies that are no XML, or that are more than XML; `root` has a place for an element."""
    good = root % "<D:displayname/>"
    texts = {
        "text": "nothing of the kind",
        "JSON": '{"propfind": "allprop"}',
        "HTML": "<!doctype html><p>unclosed",
        "cut": good[:-5],
        "unclosed": root % "<D:displayname>",
        "two roots": good + good,
        "unknown prefix": root % "<Z:x/>",
        "attribute twice": root % '<D:x a="1" a="2"/>',
        "NUL": root % "\0",
        "control character": root % "<D:x>\x0b</D:x>",
        "character that XML has not": root % "<D:x>&#0;</D:x>",
        "unknown entity": root % "<D:x>&eacute;</D:x>",
        "another root": '<D:nonsense xmlns:D="DAV:"/>',
        "no namespace": re.sub(r"\bxmlns:\w+=\S+?\"(?=[ >])", "", good)
        .replace("D:", "")
        .replace("C:", ""),
        "document type": "<!DOCTYPE x>" + good,
        "billion laughs": f"<!DOCTYPE x [{LAUGHS}]>" + root % "<D:x>&l11;</D:x>",
        "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>'
        + root % f"<D:x>{'&a;' * 5_000}</D:x>",
        "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        + root % "<D:x>&e;</D:x>",
        "external file": f'<!DOCTYPE x [<!ENTITY e SYSTEM "{secret.as_uri()}">]>'
        + root % "<D:x>&e;</D:x>",
        "external DTD": f'<!DOCTYPE x SYSTEM "{secret.as_uri()}">' + good,
        "parameter entity": f'<!DOCTYPE x [<!ENTITY % e SYSTEM "{secret.as_uri()}"> %e;]>' + good,
        "network": '<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:1/">]>'
        + root % "<D:x>&e;</D:x>",
        "deep": root % ("<D:x>" * 20_000 + "</D:x>" * 20_000),
        "deep and unclosed": "<a>" * 100_000,
        "unknown encoding": '<?xml version="1.0" encoding="klingon"?>' + good,
        "future XML": '<?xml version="9.9"?>' + root % "<Z:x/>",
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "no UTF-8": (root % "<D:x>@</D:x>").encode().replace(b"@", b"\xff\xfe\xe9"),
        "half a character": (root % "<D:x>@</D:x>").encode().replace(b"@", b"\xf0\x9f\x98"),
        "UTF-16 by name only": b'<?xml version="1.0" encoding="UTF-16"?>' + good.encode(),
        "binary": bytes(range(256)) * 10,
    }


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that nobody may read through the server."""
    file = tmp_path_factory.mktemp("secret") / "secret.txt"
    file.write_text("the-secret-of-this-machine")
    return file


@pytest.mark.parametrize("kind", bodies("%s", Path("/")))
@pytest.mark.parametrize("method, path", PLACES)
def test_bad_xml(town: Town, secret: Path, method: str, path: str, kind: str) -> None:
    body = bodies(ROOTS[method], secret)[kind]
    before = town.journal()
    answer = town.ask("anne", method, path, body, ("Content-Type", "application/xml"))
    error(answer)
    # RFC 3253, 3.6: another root element is another report, and that is not supported.
    other = method == "REPORT" and kind in ("another root", "no namespace")
    assert answer.status == (403 if other else 400), answer
    assert "the-secret" not in answer.text
    assert town.journal() == before


def test_included_file_stays_text(town: Town, secret: Path) -> None:
    """XInclude is nothing to us: a property is kept as it was written."""
    include = (
        f'<e:x xmlns:e="urn:e"><i:include xmlns:i="http://www.w3.org/2001/XInclude" '
        f'href="{secret.as_uri()}" parse="text"/></e:x>'
    )
    answer = town.ask("anne", "PROPPATCH", f"{SPACE}/d", (ROOTS["PROPPATCH"] % include).encode())
    assert answer.status == 207, answer
    found = town.ask("anne", "PROPFIND", f"{SPACE}/d", None, ("Depth", "0"))
    assert "include" in found.text and "the-secret" not in found.text


# Addresses

OUTSIDE = [
    "/spaces/../davserver.db",
    "/spaces/..",
    "/spaces/conseil/../../davserver.db",
    "/spaces/conseil/./a.txt",
    "/spaces/conseil/%2e%2e/%2e%2e/davserver.db",
    "/spaces/conseil/%2E%2e/annexe",
    "/spaces/conseil/.%2e/",
    "/spaces/conseil/..%2f..%2fdavserver.db",
    "/spaces/conseil/d%2fa.txt",
    "/spaces/conseil/%2f",
    "/spaces/conseil%2fa.txt",
    "/spaces/conseil/%c0%ae%c0%ae/x",
    "/spaces/conseil/%c0%af",
    "/spaces/conseil/%e0%80%af",
    "/spaces/conseil/%00",
    "/spaces/conseil/a.txt%00.jpg",
    "/spaces/conseil/a%0d%0aSet-Cookie:%20a=b",
    "/spaces/conseil/a%0Ab",
    "/spaces/conseil/%1b%5b31m",
    "/spaces/conseil/%7f",
    "/spaces/conseil/%c2%85",
    "/spaces/conseil/%e2%80%a8",
    "/spaces/conseil/%ed%a0%80",
    "/spaces/conseil/%e9t%e9",
    "/spaces/conseil/%ff%fe",
    "/spaces/conseil/\udcff",
    "/spaces/conseil/100%",
    "/spaces/conseil/%zz",
    "/spaces/conseil/%2",
    "/calendars/anne/../bruno/conseil",
    "/calendars/anne/conseil/%2e%2e/%2e%2e/bruno",
    "/calendars/anne/conseil/..%2fx.ics",
    "/calendars/anne/conseil/%00.ics",
    "/calendars/anne/conseil/a%0d%0ab.ics",
    "/calendars/anne/conseil/%ff.ics",
]
NOWHERE = [
    "/spaces/conseil/..%5c..%5cdavserver.db",
    "/spaces/conseil/%5c%5chost%5cshare",
    "/spaces/conseil/\\..\\",
    "/spaces/conseil/" + 300 * "x",
    "/spaces/conseil/" + 5000 * "x",
    "/spaces/conseil/" + 2000 * "x/",
    "/spaces/" + 300 * "x",
    "/calendars/bruno/conseil/x",
    "/calendars/anne/conseil/x/y/z",
    "/calendars/anne/conseil/" + 300 * "x",
    "/calendars/" + 300 * "x",
    "/etc/passwd",
    "/healthz/../spaces",
    "/.well-known/../spaces",
    "/.well-known/caldav/..",
]
METHODS = (
    *("GET", "HEAD", "PUT", "DELETE", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK"),
    *("UNLOCK", "REPORT", "MKCALENDAR"),
)
BODIES = {
    "PUT": b"hello",
    "PROPPATCH": (ROOTS["PROPPATCH"] % "<D:x/>").encode(),
    "LOCK": LOCKINFO,
    "REPORT": (ROOTS["REPORT"] % "<D:getetag/>").encode(),
}
USUAL: list[Header] = [
    ("Depth", "0"),
    ("Destination", f"{SPACE}/elsewhere.txt"),
    ("Lock-Token", "<urn:uuid:0>"),
]


@pytest.mark.parametrize("path", [*OUTSIDE, *NOWHERE])
def test_address_of_nothing(town: Town, path: str) -> None:
    """400 where no name could be meant, and in any case an error, whatever is asked."""
    before = town.journal()
    for method in METHODS:
        answer = town.ask("anne", method, path, BODIES.get(method), *USUAL)
        assert 400 <= answer.status < 500, (method, answer)
        assert path in NOWHERE or answer.status == 400, (method, answer)
        assert not answer["Set-Cookie"], (method, answer)
        if method != "HEAD":
            error(answer)
    assert town.journal() == before


@pytest.mark.parametrize("path", [*OUTSIDE, *NOWHERE])
def test_destination_of_nothing(town: Town, path: str) -> None:
    before = town.journal()
    for source in (FILE, f"{AGENDA}/there.ics"):
        for method in ("MOVE", "COPY"):
            answer = town.ask("anne", method, source, None, ("Destination", path))
            error(answer)
    assert town.journal() == before


def test_names_that_look_like_more(town: Town) -> None:
    """Such a name is a name: in headers, in XML and in the log it stays one."""
    names = [
        "a&b;c'd.txt",
        "嘊嘍Set-Cookie: a=b".replace(":", ""),
        "%41.txt",
        "#x?y".replace("?", ""),
    ]
    for name in names:
        path = f"{SPACE}/d/{quote(name)}"
        to = f"{SPACE}/d/{quote(name)}.moved"
        town.put(path, b"x")
        moved = town.ask("anne", "MOVE", path, None, ("Destination", to))
        assert moved.status == 201, moved
        assert moved["Location"].isascii() and not moved["Set-Cookie"], moved
        listed = town.ask("anne", "PROPFIND", f"{SPACE}/d", None, ("Depth", "1"))
        hrefs = [href.text or "" for href in ElementTree.fromstring(listed.body).iter("{DAV:}href")]
        assert f"{SPACE}/d/{name}.moved" in [unquote(href) for href in hrefs]
        assert town.ask("anne", "DELETE", to).status == 204


def test_property_names_that_look_like_more(town: Town) -> None:
    element = '<e:x xmlns:e="urn:a&amp;b\'c">]]&gt;&lt;D:evil/&gt;</e:x>'
    path = f"{SPACE}/d"
    for method in ("PROPFIND", "PROPPATCH", "PROPFIND"):
        body = (ROOTS[method] % element).encode()
        answer = town.ask("anne", method, path, body, ("Depth", "0"))
        assert answer.status == 207, answer
        names = [one.tag for one in ElementTree.fromstring(answer.body).iter()]
        assert "{DAV:}evil" not in names and "evil" not in names


# Headers

LONG = 5000 * "9"
BAD: list[tuple[str, str, str, str, int]] = [
    # method, path, header, value, status
    *(
        (method, path, "Depth", value, 400)
        for value in ("2", "-1", "one", "0, 1", "", "infinity,noroot", "0x0", LONG)
        for method, path in (("PROPFIND", FILE), ("COPY", f"{SPACE}/d"), ("LOCK", FILE))
    ),
    ("COPY", f"{SPACE}/d", "Depth", "1", 400),
    ("MOVE", f"{SPACE}/d", "Depth", "0", 400),
    ("DELETE", f"{SPACE}/d", "Depth", "0", 400),
    ("LOCK", f"{SPACE}/d", "Depth", "1", 400),
    *(("PROPFIND", AGENDA, "Depth", value, 400) for value in ("2", "-1", "one", "0, 1", "")),
    *(
        (method, FILE, "If", value, 400)
        for value in (
            *("(", "()", "x", "<>", "<a>", "(<a>", "(Not)", "(Not Not <a>)", "(<a>))", "((<a>))"),
            *('(["a)', "([])", "<http://[> (<a>)", "(<a>) <b>", "<a> (<b>) (", "(<a>)(Not", ","),
            *(2000 * "(", 2000 * "(Not <a>) <", "(<a\x80>"),
        )
        for method in ("PUT", "DELETE", "PROPPATCH", "LOCK", "GET")
    ),
    ("PUT", FILE, "If", "(<urn:uuid:0>)", 412),
    ("PUT", FILE, "If", "(<DAV:no-lock>)", 412),
    ("PUT", FILE, "If", "<http://other.example/x> (<urn:uuid:0>)", 412),
    ("PUT", FILE, "If", '</spaces/%2e%2e/x> (["a"])', 400),
    *(
        (method, path, "Destination", value, status)
        for value, status in (
            ("", 400),
            ("x", 400),
            ("C:\\x", 400),
            ("http://[/", 400),
            ("http://127.0.0.1:port/spaces/x", 400),
            ("http://127.0.0.1:999999/spaces/x", 400),
            ("http://127.0.0.1", 400),
            (f"{SPACE}/x?y", 400),
            (f"{SPACE}/x#y", 400),
            (f"{SPACE}/x\x80", 400),
            ("javascript:alert(1)", 400),
            # RFC 4918, 9.8.5, and no other 5xx.
            ("http://other.example/spaces/conseil/x", 502),
            ("//other.example/spaces/conseil/x", 502),
            ("ftp://127.0.0.1/spaces/conseil/x", 502),
        )
        for method, path in (("MOVE", FILE), ("COPY", FILE))
    ),
    *(
        (method, FILE, "Destination", value, 403)
        for value in ("/", "/spaces", "/spaces/", "/calendars/anne/conseil/x", "/etc/passwd", SPACE)
        for method in ("MOVE", "COPY")
    ),
    *(("MOVE", FILE, "Overwrite", value, 400) for value in ("", "X", "TF", "true", "T, F")),
    *(("COPY", FILE, "Overwrite", value, 400) for value in ("", "X", "TF", "true", "T, F")),
    *(
        ("LOCK", FILE, "Timeout", value, 400)
        for value in ("", "Second-0", "Second--5", "Second-x", "Second-", "60", f"Second-{LONG}")
    ),
    *(
        ("UNLOCK", FILE, "Lock-Token", value, 400)
        for value in ("", "<>", "x", "<x", "urn:uuid:0", "\x80")
    ),
    ("UNLOCK", FILE, "Lock-Token", "<urn:uuid:0>", 409),
    ("UNLOCK", FILE, "Lock-Token", f"<{LONG}>", 409),
    *(
        (method, path, header, value, 400)
        for header in ("If-Match", "If-None-Match")
        for value in ("", "x", '"', '"a', "*, *", '"a" "b"', "W/x", ",", '"a",,', "'a'")
        for method, path in (
            ("PUT", FILE),
            ("GET", FILE),
            ("DELETE", FILE),
            ("PUT", f"{AGENDA}/there.ics"),
            ("GET", f"{AGENDA}/there.ics"),
            ("DELETE", f"{AGENDA}/there.ics"),
        )
    ),
    *(
        ("PUT", FILE, "X-OC-Mtime", value, 400)
        for value in ("", "x", "1e9", "nan", "inf", "999999999999", "-99999999999", LONG)
    ),
    ("PUT", FILE, "Content-Range", "bytes 0-4/10", 400),
    ("PUT", FILE, "Content-Range", "nonsense", 400),
    ("PUT", FILE, "OC-Checksum", "SHA1:", 400),
    ("PUT", FILE, "OC-Checksum", "MD5:\x80", 400),
]


@pytest.mark.parametrize("method, path, header, value, status", BAD)
def test_bad_header(
    town: Town, method: str, path: str, header: str, value: str, status: int
) -> None:
    before = town.journal()
    body = BODIES.get(method)
    headers = [pair for pair in USUAL if pair[0] not in (header, "Depth")]
    answer = town.ask("anne", method, path, body, *headers, (header, value))
    assert answer.status == status, answer
    assert answer.body.strip()
    assert town.journal() == before
    assert town.ask("bruno", "PUT", f"{SPACE}/free", b"x").status in (201, 204)


IGNORED: list[tuple[str, str, str]] = [
    # A header that may be ignored, or is about something else: never more than a refusal.
    *(
        ("GET", "Range", value)
        for value in (
            *(
                "x",
                "bytes",
                "bytes=",
                "bytes=-",
                "bytes=x-y",
                "bytes=5-2",
                "bytes=--5",
                "lines=1-2",
            ),
            *("bytes=100000-", "bytes=0-0,2-2", f"bytes={LONG}-", f"bytes=-{LONG}", "bytes=-0"),
            *(f"bytes=0-{LONG}", "bytes=" + 5000 * "0-,", "bytes=1-1\x80", "bytes= 0 - 1 "),
        )
    ),
    *(
        (method, header, value)
        for header in ("If-Modified-Since", "If-Unmodified-Since", "If-Range", "Date")
        for value in (
            *("", "x", "0", LONG, "Mon, 99 Foo 2026 99:99:99 GMT", "-1", "\x80"),
            "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
            "Mon, 01 Jan 0001 00:00:00 +2359",
            "Mon, 01 Jan 9999 23:59:59 -2359",
            "Mon, 01 Jan 2026 00:00:00 +99999999999999",
            f"Mon, 01 Jan 2026 00:00:00 +{LONG}",
        )
        for method in ("GET", "HEAD", "PROPFIND")
    ),
    *(
        ("GET", header, value)
        for header in (
            *("Accept-Language", "Accept-Encoding", "Accept", "User-Agent", "Referer", "Cookie"),
            *("X-Forwarded-For", "X-Forwarded-Host", "X-Script-Name", "X-Remote-User", "Prefer"),
            *("Upgrade", "TE", "Trailer", "Origin", "Content-Type", "Connection", "Keep-Alive"),
        )
        for value in ("", 5000 * ",", ";q=x", "*;q=" + LONG, "\x80\xff", "fr;q=1e999", 2000 * "a,")
    ),
]


@pytest.mark.parametrize("method, header, value", IGNORED)
def test_header_that_may_be_ignored(town: Town, method: str, header: str, value: str) -> None:
    for path in (FILE, f"{AGENDA}/there.ics"):
        answer = town.ask("anne", method, path, None, (header, value))
        assert answer.status in (200, 206, 207, 304, 400, 412, 416), (path, answer)
        if answer.status == 200 and method == "GET" and path == FILE:
            assert answer.body == CONTENT


# What is hardly HTTP

GOOD_HEAD = "GET /healthz HTTP/1.1\r\nHost: x\r\n"
UNREADABLE: dict[str, tuple[bytes, int]] = {
    name: (text.encode("utf-8", "surrogateescape"), status)
    for name, (text, status) in {
        "no request": ("hello\r\n\r\n", 400),
        "method alone": ("GET\r\n\r\n", 400),
        "HTTP/0.9": ("GET /\r\n\r\n", 400),
        "bare line feeds": ("GET / HTTP/1.1\nHost: x\n\n", 400),
        "no end of line": ("GET / HTTP/1.1", 400),
        "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01\udcfc\x03\x03", 400),
        "SOCKS": ("\x05\x01\x00", 400),
        "SSH": ("SSH-2.0-OpenSSH_9.2\r\n", 400),
        "HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        "future": ("GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
        "no version": ("GET / HTTP/x.y\r\nHost: x\r\n\r\n", 400),
        "half a version": ("GET / HTTP/1\r\nHost: x\r\n\r\n", 400),
        "another protocol": ("GET / FTP/1.1\r\nHost: x\r\n\r\n", 400),
        "two spaces": ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "space in the address": ("GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "fragment": ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "asterisk": ("GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "no slash": ("GET spaces HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "half an IPv6 address": ("GET //[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "half an IPv6 URL": ("GET http://[/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "no IPv6 address": ("OPTIONS http://[x]:y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "small letters": ("get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "NUL in the method": ("G\0T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "escape in the method": ("\x1b[31m / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "letters of no method": ("GÉT / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "NUL in the address": ("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "CR in the address": ("GET /a\rb HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "escape in the address": ("GET /\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "bytes in the address": ("GET /\udcff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        "long address": (f"GET /{200_000 * 'a'} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        "endless address": (f"GET /{3_000_000 * 'a'}", 414),
        "no host": ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        "two hosts": (f"{GOOD_HEAD}Host: y\r\n\r\n", 400),
        "no colon": (f"{GOOD_HEAD}nonsense\r\n\r\n", 400),
        "no name": (f"{GOOD_HEAD}: x\r\n\r\n", 400),
        "space before the colon": (f"{GOOD_HEAD}Accept : x\r\n\r\n", 400),
        "space in the name": (f"{GOOD_HEAD}Acc ept: x\r\n\r\n", 400),
        "letters of no name": (f"{GOOD_HEAD}Accépt: x\r\n\r\n", 400),
        "NUL in a header": (f"{GOOD_HEAD}Accept: a\0b\r\n\r\n", 400),
        "CR in a header": (f"{GOOD_HEAD}Accept: a\rb\r\n\r\n", 400),
        "CR for a line's end": (f"{GOOD_HEAD}Accept: a\rX-Evil: b\r\n\r\n", 400),
        "bare line feed in headers": (f"{GOOD_HEAD}Accept: a\nX-Evil: b\r\n\r\n", 400),
        "folded header": (f"{GOOD_HEAD}Accept: a\r\n b\r\n\r\n", 400),
        "folded from the beginning": ("GET / HTTP/1.1\r\n folded: x\r\nHost: x\r\n\r\n", 400),
        "no end of the headers": (f"{GOOD_HEAD}Accept: a\r\n", 400),
        "long header": (f"{GOOD_HEAD}Accept: {200_000 * 'a'}\r\n\r\n", 413),
        "many headers": (f"{GOOD_HEAD}{50_000 * 'A: b' + chr(13) + chr(10)}\r\n", 413),
        "endless headers": (GOOD_HEAD + 200_000 * "Accept: a\r\n", 413),
        "negative length": (f"{GOOD_HEAD}Content-Length: -1\r\n\r\n", 400),
        "signed length": (f"{GOOD_HEAD}Content-Length: +5\r\n\r\nhello", 400),
        "hexadecimal length": (f"{GOOD_HEAD}Content-Length: 0x5\r\n\r\nhello", 400),
        "fraction": (f"{GOOD_HEAD}Content-Length: 5.0\r\n\r\nhello", 400),
        "underscore in a length": (f"{GOOD_HEAD}Content-Length: 1_0\r\n\r\nhello", 400),
        "no length": (f"{GOOD_HEAD}Content-Length:\r\n\r\n", 400),
        "enormous length": (f"{GOOD_HEAD}Content-Length: {LONG}\r\n\r\n", 400),
        "list of lengths": (f"{GOOD_HEAD}Content-Length: 5, 5\r\n\r\nhello", 400),
        "two lengths": (
            f"{GOOD_HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            400,
        ),
        "length and chunked": (
            f"{GOOD_HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        "unknown coding": (f"{GOOD_HEAD}Transfer-Encoding: gzip\r\n\r\n", 400),
        "coding that looks like chunked": (
            f"{GOOD_HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        "chunked and more": (f"{GOOD_HEAD}Transfer-Encoding: chunked, gzip\r\n\r\n", 400),
        "chunked twice": (
            f"{GOOD_HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        "no coding": (f"{GOOD_HEAD}Transfer-Encoding:\r\n\r\n", 400),
        "chunked in HTTP/1.0": (
            "GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: Keep-Alive\r\n"
            "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        "two destinations": (
            f"{GOOD_HEAD}Destination: /spaces/a\r\nDestination: /spaces/b\r\n\r\n",
            400,
        ),
        "two authorizations": (
            f"{GOOD_HEAD}Authorization: Basic YTpi\r\nAuthorization: Basic YTpj\r\n\r\n",
            400,
        ),
    }.items()
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_request(town: Town, kind: str) -> None:
    data, status = UNREADABLE[kind]
    with Wire(town.server.port) as wire:
        wire.pour(data)
        answers = wire.answers()
    assert [answer.status for answer in answers] == [status], answers
    assert answers[0].body.strip()
    # Where a request ends that has no lines is anybody's guess.
    assert answers[0].closes or kind.endswith("in the address")


@pytest.mark.parametrize("kind", ["long address", "long header", "two lengths", "no colon"])
def test_unreadable_request_is_answered_at_once(town: Town, kind: str) -> None:
    """Without waiting for the client to end its side; and no reset overtakes the answer."""
    data, status = UNREADABLE[kind]
    with Wire(town.server.port) as wire:
        wire.send(data + bytes(500_000))
        assert wire.answer().status == status
        assert wire.ended()


def test_silent_clients_keep_nobody_out(town: Town) -> None:
    """They have said nothing yet, and wait in no thread."""
    wires = [Wire(town.server.port) for _ in range(50)]
    town.check_alive()
    for wire in wires:
        wire.close()


def test_two_equal_lengths_are_one(town: Town) -> None:
    path = f"{SPACE}/free"
    length = ("Content-Length", "5")
    with Wire(town.server.port) as wire:
        put = head("PUT", path, [town.as_("anne"), length, length]) + b"hello"
        assert wire.ask(put).status in (201, 204)
        assert wire.ask(head("GET", path, [town.as_("anne")])).body == b"hello"


def test_header_with_an_underscore_is_nobodys(town: Town) -> None:
    """X_Y and X-Y are one to WSGI: what a front strips must not come in by the other name."""
    for name in ("Content_Length", "Transfer_Encoding", "X_Expected_Entity_Length"):
        answer = town.ask("anne", "GET", FILE, None, (name, "5"))
        assert (answer.status, answer.body) == (200, CONTENT)


def test_old_clients_are_served(town: Town) -> None:
    for connection in ([], [("Connection", "close")]):
        with Wire(town.server.port) as wire:
            wire.send(head("GET", FILE, [town.as_("anne"), *connection], "1.0"))
            assert wire.answer().body == CONTENT
            assert wire.ended()
    with Wire(town.server.port) as wire:
        for _ in range(2):
            keep = ("Connection", "Keep-Alive")
            wire.send(head("GET", FILE, [town.as_("anne"), keep], "1.0"))
            assert wire.answer().body == CONTENT


def test_absolute_form(town: Town) -> None:
    """RFC 9112, 3.2.2: a server must accept it."""
    for origin in ("http://127.0.0.1", "http://anne:password@127.0.0.1:80", "HTTP://elsewhere"):
        answer = town.ask("anne", "GET", origin + FILE)
        assert (answer.status, answer.body) == (200, CONTENT)
        assert town.ask("anne", "OPTIONS", origin + FILE).status == 200
        assert town.ask("anne", "GET", f"{origin}/spaces/%2e%2e/x").status == 400
    assert town.ask("anne", "OPTIONS", "*").status == 200


@pytest.mark.parametrize(
    "method",
    [
        "POST",
        "PATCH",
        "TRACE",
        "SEARCH",
        "ACL",
        "BIND",
        "VERSION-CONTROL",
        "X",
        "GETGET",
        999 * "A",
    ],
)
def test_unknown_method(town: Town, method: str) -> None:
    for path in ("/", "/spaces/", SPACE, FILE, "/calendars/anne/", AGENDA, f"{AGENDA}/there.ics"):
        answer = town.ask("anne", method, path, b"x")
        assert answer.status == 405, (path, answer)
        assert "PROPFIND" in answer["Allow"], answer
    assert town.ask("anne", "CONNECT", "127.0.0.1:22").status in (400, 405)


# One request inside another


@pytest.fixture
def inner(town: Town) -> bytes:
    """A request that must not be carried out: the bytes of somebody's body."""
    return head("DELETE", FILE, [town.as_("anne")])


def smuggled(town: Town, outer: bytes, inner: bytes) -> list[int]:
    """The statuses of all that is answered when `inner` follows in or after a body."""
    with Wire(town.server.port) as wire:
        wire.pour(outer + inner)
        return [answer.status for answer in wire.answers()]


def test_body_of_a_refused_request_is_no_request(town: Town, inner: bytes) -> None:
    length = ("Content-Length", str(len(inner)))
    in_chunks = ("Transfer-Encoding", "chunked")
    reader, path = town.as_("rene"), f"{SPACE}/x"
    for headers, status in (([reader], 403), ([], 401), ([("Authorization", "Basic x")], 400)):
        outer = head("PUT", path, [*headers, length])
        assert smuggled(town, outer, inner) == [status]
        # What follows the body is the next request, and is answered.
        assert smuggled(town, outer, inner + head("GET", "/healthz")) == [status, 200]
        # Where a chunked body ends is not looked for when nobody wants it.
        outer = head("PUT", path, [*headers, in_chunks])
        assert smuggled(town, outer, chunked(inner)) == [status]
        assert smuggled(town, outer, inner) == [status]
    large = ("Content-Length", str(3 * MEGABYTE))
    assert smuggled(town, head("PROPFIND", SPACE, [town.as_("anne"), large]), inner) == [413]
    expects = ("Expect", "100-continue")
    assert smuggled(town, head("PUT", path, [reader, length, expects]), inner) == [403]


def test_body_of_a_request_that_has_none_is_no_request(town: Town, inner: bytes) -> None:
    me, length = town.as_("anne"), ("Content-Length", str(len(inner)))
    for method, path, status in (
        ("GET", FILE, 415),
        ("DELETE", f"{SPACE}/nothing", 415),
        ("MKCOL", f"{SPACE}/nothing", 415),
        ("OPTIONS", "/", 200),
        ("GET", "/healthz", 200),
        ("PROPFIND", "/.well-known/caldav", 301),
    ):
        outer = head(method, path, [me, length])
        assert smuggled(town, outer, inner + head("GET", "/healthz")) == [status, 200]


@pytest.mark.parametrize(
    "framing",
    [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 0\r\nContent-Length: 5",
        "Content-Length : 5",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: \x0bchunked",
        "X: y\rTransfer-Encoding: chunked",
        "X: y\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\n\tTransfer-Encoding: chunked",
    ],
)
def test_two_ways_to_read_a_request(town: Town, inner: bytes, framing: str) -> None:
    """What could be two requests to one program and one to another is none."""
    outer = head("PUT", f"{SPACE}/x", [town.as_("anne")])[:-2] + framing.encode() + b"\r\n\r\n"
    assert smuggled(town, outer + b"0\r\n\r\n", inner) == [400]
    assert town.ask("anne", "GET", f"{SPACE}/x").status == 404


# Credentials


def encoded(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


CREDENTIALS: dict[str, tuple[str, int]] = {
    "empty": ("", 401),
    "scheme alone": ("Basic", 400),
    "nothing encoded": ("Basic ", 400),
    "no base64": ("Basic ???", 400),
    "bad padding": ("Basic YW5uZ", 400),
    "no colon": (encoded(b"anne"), 400),
    "colon alone": (encoded(b":"), 401),
    "no login": (encoded(b":password"), 401),
    "no password": (encoded(b"anne:"), 401),
    "Latin-1": (encoded("anne:clé".encode("latin-1")), 400),
    "NUL": (encoded(b"anne:pass\0word"), 400),
    "NUL in the login": (encoded(b"an\0ne:password"), 400),
    "line feed": (encoded(b"anne:pass\nword"), 400),
    "delete": (encoded(b"anne:pass\x7fword"), 400),
    "C1": (encoded("anne:pass\x85word".encode()), 400),
    "surrogate": (encoded(b"anne:\xed\xa0\x80"), 400),
    "long": (encoded(b"anne:" + 30_000 * b"x"), 401),
    "long login": (encoded(30_000 * b"x" + b":password"), 401),
    "device password of nobody": (encoded(b"anne:dav-" + 32 * b"a"), 401),
    "nobody": (encoded(b"nobody:password"), 401),
    "path": (encoded(b"../anne:password"), 401),
    "wildcard": (encoded(b"%:password"), 401),
    "SQL": (encoded(b"anne' OR '1'='1:password"), 401),
    "template": (encoded(b"{0}%s:{fields}"), 401),
    "Bearer": ("Bearer abc", 400),
    "Digest": ('Digest username="anne", realm="x"', 400),
    "Negotiate": ("Negotiate TlRMTVNTUAAB", 400),
    "bytes": ("Basic \x80\xff", 400),
    "quotation": ('"Basic"', 400),
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_bad_credentials(town: Town, kind: str) -> None:
    value, status = CREDENTIALS[kind]
    for path in (FILE, AGENDA, "/", "/spaces/"):
        with Wire(town.server.port) as wire:
            answer = wire.ask(head("PROPFIND", path, [("Authorization", value)]))
        assert answer.status == status, answer
        error(answer)
        if status == 401:
            assert answer["WWW-Authenticate"].startswith('Basic realm="'), answer


def test_scheme_is_known_in_any_case(town: Town) -> None:
    name, value = town.as_("anne")
    for scheme in ("basic", "BASIC", "bAsIc"):
        answer = ask(town.server.port, "GET", FILE, [(name, value.replace("Basic", scheme))])
        assert answer.status == 200


def test_realm_is_the_organisation(town: Town) -> None:
    answer = ask(town.server.port, "GET", FILE)
    realm = answer["WWW-Authenticate"].encode("latin-1").decode("utf-8")
    assert realm == f'Basic realm="{NAME}", charset="UTF-8"'


# Size


def peak(town: Town) -> int:
    """The most memory that the server ever had, in bytes."""
    assert town.server.process is not None
    status = Path(f"/proc/{town.server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.parametrize("is_chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize(
    "method, path",
    [
        ("PROPFIND", SPACE),
        ("PROPPATCH", FILE),
        ("LOCK", FILE),
        ("PROPFIND", AGENDA),
        ("REPORT", AGENDA),
        ("MKCOL", f"{SPACE}/x"),
        ("GET", FILE),
        ("PUT", f"{AGENDA}/x.ics"),
    ],
)
def test_large_body_is_refused_and_not_kept(
    town: Town, method: str, path: str, is_chunked: bool
) -> None:
    town.check_alive()
    before = peak(town)
    size = 100 * MEGABYTE
    length = ("Content-Length", str(size))
    if is_chunked:
        length = ("Transfer-Encoding", "chunked")
    with Wire(town.server.port) as wire:
        wire.send(head(method, path, [town.as_("anne"), length]))
        piece = b"<" + (MEGABYTE - 1) * b" "
        wire.stream(chunked(piece)[:-5] if is_chunked else piece, size)
        answer = wire.answer()
        assert answer.status == 413, answer
        error(answer)
        assert answer.closes
    # An agenda's object may have 10 MiB, and is taken in before it is looked at.
    assert peak(town) - before < (64 if method == "PUT" else 8) * MEGABYTE


def test_answer_to_many_names_is_bounded(town: Town) -> None:
    """A body of a megabyte asks for as many properties as it can, of some resources."""
    names = "".join(f"<D:x{number}/>" for number in range(60_000))
    body = (ROOTS["PROPFIND"] % names).encode()
    assert len(body) < MEGABYTE
    before = peak(town)
    answer = town.ask("anne", "PROPFIND", FILE, body, ("Depth", "0"))
    assert answer.status in (207, 400, 413), answer.status
    assert peak(town) - before < 150 * MEGABYTE


# The log


def test_log_holds_nothing_but_text(town: Town) -> None:
    """Whoever reads it in a terminal reads, and nothing else happens; a line is a line."""
    since = town.server.log.stat().st_size
    for target in (
        "/\x1b[31mred",
        "/a\rb",
        "/\x00",
        "/\udcff",
        "/\udcc2\udc9b31m",
        "/%1b%0a",
        "/\t",
    ):
        with Wire(town.server.port) as wire:
            wire.pour(head("GET", target, [town.as_("anne")]))
            assert [answer.status for answer in wire.answers()] == [400]
    logged = town.logged(since)
    assert all(character.isprintable() or character == "\n" for character in logged), repr(logged)
    assert "%1b%0a" in logged


# Agendas


def calendar(*lines: str, component: str = "VEVENT") -> bytes:
    """A calendar with one component of these lines; a UID and times unless they are given."""
    given = {line.partition(":")[0].partition(";")[0] for line in lines}
    usual = ["UID:x", "DTSTAMP:20261123T120000Z", "DTSTART:20261203T170000Z"]
    more = [line for line in usual if line.partition(":")[0] not in given]
    inside = "".join(f"{line}\r\n" for line in (*more, *lines) if line)
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//essai//FR\r\n"
        f"BEGIN:{component}\r\n{inside}END:{component}\r\nEND:VCALENDAR\r\n"
    ).encode()


REFUSED_OBJECTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "valid-calendar-data"),
    "text": (b"hello", "valid-calendar-data"),
    "HTML": (b"<!doctype html><p>hello", "valid-calendar-data"),
    "binary": (bytes(range(256)), "valid-calendar-data"),
    "beginning": (b"BEGIN:VCALENDAR\r\n", "valid-calendar-data"),
    "no end": (calendar()[:-20], "valid-calendar-data"),
    "two ends": (calendar() + b"END:VCALENDAR\r\n", "valid-calendar-data"),
    "no colon": (calendar("SUMMARY"), "valid-calendar-data"),
    "NUL": (calendar("SUMMARY:a\0b"), "valid-calendar-data"),
    "no UTF-8": (calendar("SUMMARY:a@b").replace(b"@", b"\xff"), "valid-calendar-data"),
    "no component": (
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n",
        "valid-calendar-object-resource",
    ),
    "no UID": (calendar().replace(b"UID:x\r\n", b""), "valid-calendar-object-resource"),
    "two UIDs": (
        calendar().replace(
            b"END:VEVENT\r\n",
            b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:y\r\nDTSTAMP:20261123T120000Z\r\n"
            b"DTSTART:20261203T170000Z\r\nEND:VEVENT\r\n",
        ),
        "valid-calendar-object-resource",
    ),
    "time zone alone": (
        calendar("TZID:x", "UID:", component="VTIMEZONE"),
        "valid-calendar-",
    ),
    "task": (calendar(component="VTODO"), "supported-calendar-component"),
    "contact": (
        b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:x\r\nFN:x\r\nN:x;;;;\r\nEND:VCARD\r\n",
        "valid-calendar-data",
    ),
    "too large": (calendar("DESCRIPTION:" + 11 * MEGABYTE * "x"), "max-resource-size"),
    "second of a UID": (event("there", "twice"), "no-uid-conflict"),
}


@pytest.mark.parametrize("kind", REFUSED_OBJECTS)
def test_object_that_is_none(town: Town, kind: str) -> None:
    body, precondition = REFUSED_OBJECTS[kind]
    before = town.journal()
    answer = town.ask("anne", "PUT", f"{AGENDA}/new.ics", body)
    error(answer)
    assert answer.status in (403, 409), answer
    assert precondition in answer.text
    assert town.journal() == before, "nothing was kept"


ODD_OBJECTS: dict[str, bytes] = {
    "no start": calendar("DTSTART:"),
    "bad start": calendar("DTSTART:yesterday"),
    "impossible start": calendar("DTSTART:20261399T999999Z"),
    "year 0": calendar("DTSTART:00000101T000000Z"),
    "first year": calendar("DTSTART:00010101T000000Z", "DTEND:00010101T000001Z"),
    "first year, east": calendar("DTSTART;TZID=Asia/Tokyo:00010101T000000"),
    "last year": calendar("DTSTART:99991231T235959Z", "DURATION:P9W"),
    "last year, west": calendar("DTSTART;TZID=America/Los_Angeles:99991231T235959"),
    "yearly to the end": calendar("DTSTART:99981231T235959Z", "RRULE:FREQ=YEARLY"),
    "end before start": calendar("DTEND:20001203T170000Z"),
    "date and time": calendar("DTEND;VALUE=DATE:20261204"),
    "long": calendar("DURATION:P999999999W"),
    "longer": calendar(f"DURATION:P{LONG}D"),
    "backwards": calendar("DURATION:-P1D"),
    "huge interval": calendar(f"RRULE:FREQ=YEARLY;INTERVAL={LONG}"),
    "huge count": calendar("RRULE:FREQ=DAILY;COUNT=999999999999"),
    "bad rule": calendar("RRULE:FREQ=OFTEN"),
    "no rule": calendar("RRULE:"),
    "until nonsense": calendar("RRULE:FREQ=DAILY;UNTIL=never"),
    "until before the start": calendar("RRULE:FREQ=DAILY;UNTIL=20001203T170000Z"),
    "by nonsense": calendar("RRULE:FREQ=MONTHLY;BYDAY=99XX;BYSETPOS=0;BYHOUR=99"),
    "many dates": calendar("RDATE:" + ",".join(["20270101T000000Z"] * 20_000)),
    "many exceptions": calendar(
        "RRULE:FREQ=DAILY", "EXDATE:" + ",".join(["20270101T170000Z"] * 20_000)
    ),
    "unknown zone": calendar("DTSTART;TZID=Mars/Olympus:20261203T170000"),
    "zone that leads away": calendar("DTSTART;TZID=../../../etc/passwd:20261203T170000"),
    "absolute zone": calendar("DTSTART;TZID=/etc/passwd:20261203T170000"),
    "alarm of nonsense": calendar("BEGIN:VALARM", "TRIGGER:soon", "ACTION:NONE", "END:VALARM"),
    "deep": calendar(*["BEGIN:X-DEEP"] * 5_000, *["END:X-DEEP"] * 5_000),
    "many components": calendar(*["BEGIN:VALARM", "END:VALARM"] * 5_000),
    "long line": calendar("SUMMARY:" + MEGABYTE * "x"),
    "many lines": calendar(*["X-A:b"] * 50_000),
    "many folds": calendar("SUMMARY:x" + "\r\n x" * 50_000),
    "many parameters": calendar("ATTENDEE" + ";X=y" * 20_000 + ":mailto:a@example.org"),
    "exception without a series": calendar("RECURRENCE-ID:20261203T170000Z"),
    "exception of nonsense": calendar("RECURRENCE-ID:x"),
    "two starts": calendar("DTSTART:20261203T170000Z", "DTSTART:20271203T170000Z"),
    "line feeds alone": calendar().replace(b"\r\n", b"\n"),
    "byte order mark": b"\xef\xbb\xbf" + calendar(),
    "method": calendar().replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:REQUEST\r\n"),
    "markup": calendar("SUMMARY:]]><!--<a>&lt;&amp;"),
}


def _up_to(end: int) -> str:
    return ",".join(str(number) for number in range(end))


ENDLESS = {
    "every second": ["RRULE:FREQ=SECONDLY"],
    "every second of long ago": ["DTSTART:19000101T000000Z", "RRULE:FREQ=SECONDLY"],
    "every minute": ["RRULE:FREQ=MINUTELY"],
    "every minute, among others": ["RRULE:FREQ=DAILY", "RRULE:FREQ=MINUTELY;INTERVAL=2"],
    "every hour of the first year": ["DTSTART:00010101T000000Z", "RRULE:FREQ=HOURLY"],
    "every second of each day": [
        f"RRULE:FREQ=DAILY;BYHOUR={_up_to(24)};BYMINUTE={_up_to(60)};BYSECOND={_up_to(60)}"
    ],
    "interval of nothing": ["RRULE:FREQ=DAILY;INTERVAL=0"],
    "negative interval": ["RRULE:FREQ=DAILY;INTERVAL=-1"],
    "never": ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
    "never, by the day": ["RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"],
    "never, by the hour": ["RRULE:FREQ=HOURLY;BYMONTH=4;BYMONTHDAY=31"],
    "never, by the second": ["RRULE:FREQ=SECONDLY;COUNT=5;BYMONTH=2;BYMONTHDAY=30"],
    "never, until then": ["RRULE:FREQ=DAILY;UNTIL=20280101T000000Z;BYYEARDAY=366;BYMONTH=1"],
    "exceptions every second": ["RRULE:FREQ=DAILY", "EXRULE:FREQ=SECONDLY"],
}
PATIENT = {
    "ten seconds": "FREQ=SECONDLY;COUNT=10",
    "an hour by the minute": "FREQ=MINUTELY;UNTIL=20261203T180000Z",
    "every hour": "FREQ=HOURLY",
    "each working day": "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "29 February": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "29 February, by the day": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29",
    "Friday the 13th": "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
    "last Sunday of March": "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
    "week 53": "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO",
    "last working day": "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "thrice a day": "FREQ=DAILY;BYHOUR=8,12,18;BYMINUTE=0,30",
    "every four years": "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=2TU",
}
WINDOW = '<C:time-range start="20261201T000000Z" end="20271201T000000Z"/>'
QUERIES = {
    "query": f"<C:calendar-query {D} {C}><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter "
    f'name="VCALENDAR"><C:comp-filter name="VEVENT">{WINDOW}</C:comp-filter></C:comp-filter>'
    "</C:filter></C:calendar-query>",
    "expand": f"<C:calendar-query {D} {C}><D:prop><C:calendar-data>"
    '<C:expand start="20261201T000000Z" end="20261204T000000Z"/></C:calendar-data></D:prop>'
    '<C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>',
    "free-busy": f"<C:free-busy-query {C}>{WINDOW}</C:free-busy-query>",
    "sync": f"<D:sync-collection {D}><D:sync-token/><D:sync-level>1</D:sync-level><D:prop>"
    "<D:getetag/></D:prop></D:sync-collection>",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_rule_that_would_keep_everyone_waiting(town: Town, kind: str) -> None:
    for component in ("VEVENT", "VTODO"):
        place = AGENDA if component == "VEVENT" else f"{AGENDA}-tasks"
        body = calendar(*ENDLESS[kind], component=component)
        answer = town.ask("anne", "PUT", f"{place}/endless.ics", body)
        error(answer)
        assert answer.status == 403 and "valid-calendar-data" in answer.text, answer


@pytest.mark.parametrize("kind", PATIENT)
def test_rule_that_people_have(town: Town, kind: str) -> None:
    path = f"{AGENDA}/patient.ics"
    assert town.ask("anne", "PUT", path, calendar(f"RRULE:{PATIENT[kind]}")).status == 201
    for body in QUERIES.values():
        answer = town.ask("anne", "REPORT", AGENDA, body.encode(), ("Depth", "1"))
        assert answer.status in (200, 207), answer
    assert town.ask("anne", "DELETE", path).status == 204


@pytest.mark.parametrize("kind", ODD_OBJECTS)
def test_odd_object_harms_nothing(town: Town, kind: str) -> None:
    """Refused, or kept as it is; and then it hides nothing else and takes nobody's time."""
    path = f"{AGENDA}/odd.ics"
    put = town.ask("anne", "PUT", path, ODD_OBJECTS[kind])
    if put.status != 201:
        error(put)
        # For its own sake, not because of what another test left.
        assert put.status == 403 and "valid-calendar" in put.text, put
        return
    got = town.ask("anne", "GET", path)
    assert (got.status, got.body) == (200, ODD_OBJECTS[kind])
    for name, body in QUERIES.items():
        answer = town.ask("anne", "REPORT", AGENDA, body.encode(), ("Depth", "1"))
        assert answer.status in (200, 207, 403, 507), (name, answer)
        if name in ("query", "expand", "sync") and answer.status == 207:
            assert "there.ics" in answer.text, name
    assert town.ask("anne", "GET", AGENDA).status == 200
    assert town.ask("anne", "PROPFIND", AGENDA, None, ("Depth", "1")).status == 207
    assert town.ask("anne", "DELETE", path).status == 204


def query(filter: str) -> str:
    return f"<C:calendar-query {D} {C}><D:prop><D:getetag/></D:prop>{filter}</C:calendar-query>"


def within(attributes: str) -> str:
    return query(
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f"<C:time-range {attributes}/></C:comp-filter></C:comp-filter></C:filter>"
    )


def sync(token: str, level: str = "1") -> str:
    return (
        f"<D:sync-collection {D}><D:sync-token>{token}</D:sync-token>"
        f"<D:sync-level>{level}</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


def multiget(*hrefs: str) -> str:
    listed = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    return (
        f"<C:calendar-multiget {D} {C}><D:prop><D:getetag/><C:calendar-data/></D:prop>{listed}"
        "</C:calendar-multiget>"
    )


BAD_REPORTS = {
    "filter without a name": query("<C:filter><C:comp-filter/></C:filter>"),
    "range of nonsense": within('start="yesterday" end="tomorrow"'),
    "range without a zone": within('start="20261201T000000" end="20271201T000000"'),
    "range of impossible days": within('start="20261399T000000Z"'),
    "range of nothing": within(""),
    "token of nobody": sync("http://example.com/1"),
    "token of nonsense": sync("nonsense"),
    "token of another": sync("data:,1_1"),
    "negative token": sync("-1"),
    "huge token": sync(LONG),
    "token with markup": sync("&lt;x&gt;&amp;"),
    "free-busy of nonsense": QUERIES["free-busy"].replace("20261201T000000Z", "x"),
    "free-busy of nothing": f"<C:free-busy-query {C}/>",
    "expand of nonsense": QUERIES["expand"].replace("20261201T000000Z", "x"),
}


@pytest.mark.parametrize("kind", BAD_REPORTS)
def test_bad_report(town: Town, kind: str) -> None:
    body = BAD_REPORTS[kind].encode()
    answer = town.ask("anne", "REPORT", AGENDA, body, ("Depth", "1"))
    error(answer)
    if "token" in kind:
        assert answer.status in (403, 409) and "valid-sync-token" in answer.text, answer


ODD_REPORTS = {
    "level of nonsense": sync("", "x"),
    "range that ends first": within('start="20271201T000000Z" end="20261201T000000Z"'),
    "filter of something else": query('<C:filter><C:comp-filter name="VCARD"/></C:filter>'),
    "empty filter": query("<C:filter/>"),
    "no filter": query(""),
    "far": within('start="00010101T000000Z" end="99991231T235959Z"'),
    "deep filter": query(
        "<C:filter>"
        + '<C:comp-filter name="VCALENDAR">' * 50
        + "</C:comp-filter>" * 50
        + "</C:filter>"
    ),
    "unknown collation": query(
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        '<C:prop-filter name="SUMMARY"><C:text-match collation="x">a</C:text-match>'
        "</C:prop-filter></C:comp-filter></C:comp-filter></C:filter>"
    ),
    "hrefs of others": multiget(
        *("/calendars/bruno/conseil/there.ics", "/spaces/conseil/a.txt", "/etc/passwd", "", "x"),
        *("../bruno/conseil/there.ics", "http://other.example/x", "http://[", "/calendars/%ff"),
        *("/calendars/anne/conseil/%2e%2e/x", "/calendars/anne/conseil/%00", "?", "#", "%zz"),
    ),
    "many hrefs": multiget(*[f"{AGENDA}/{number}.ics" for number in range(10_000)]),
    "one href many times": multiget(*[f"{AGENDA}/there.ics"] * 10_000),
    "no href": multiget(),
    "endless level": sync("", "infinite"),
    "limit of nonsense": sync("").replace(
        "<D:prop>", "<D:limit><D:nresults>x</D:nresults></D:limit><D:prop>"
    ),
    "negative limit": sync("").replace(
        "<D:prop>", "<D:limit><D:nresults>-1</D:nresults></D:limit><D:prop>"
    ),
}


@pytest.mark.parametrize("kind", ODD_REPORTS)
def test_odd_report(town: Town, kind: str) -> None:
    answer = town.ask("anne", "REPORT", AGENDA, ODD_REPORTS[kind].encode(), ("Depth", "1"))
    assert answer.status in (200, 207, 400, 403, 404, 409, 413, 507), answer
    assert "root:" not in answer.text and CONTENT.decode() not in answer.text


# Whatever chance brings

SEEDS = range(8)
PER_SEED = 60
MINES: list[bytes] = [
    *(
        b"",
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"\r\n\r\n",
        b" ",
        b"\t",
        b"%",
        b"%00",
        b"%2e%2e/",
        b"../",
    ),
    *(b"<", b">", b"(", b")", b'"', b"*", b"&", b":", b";", b",", b"=", b"\xff", b"\xc3", b"-1"),
    *(b"99999999999999999999", b"0", b"HTTP/1.1", b"chunked", b"infinity", b"Depth: 1\r\n"),
    *(b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Expect: 100-continue\r\n"),
    *(b"<!DOCTYPE a>", b"&#0;", b"]]>", b"DAV:", b"\xe2\x80\xae", b"{0}", b"%s", b"$(id)", b"' --"),
]


def fuzzed(chance: random.Random, good: bytes) -> bytes:
    """A request that was good, with one to four accidents."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((0, 1, 2, 10, 100))
        match chance.randrange(5):
            case 0:
                data[at : at + length] = chance.choice(MINES)
            case 1:
                data[at : at + length] = chance.randbytes(chance.randrange(1, 8))
            case 2:
                data[at : at + length] = data[at : at + length] * 2
            case 3:
                del data[at : at + length]
            case _:
                lines = bytes(data).split(b"\r\n")
                chance.shuffle(lines[1:])
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                data = bytearray(b"\r\n".join(lines))
    return bytes(data)


def good_requests(town: Town) -> list[bytes]:
    """One of each kind, all of which would be carried out."""
    me, path = town.as_("anne"), "/spaces/essais/a.txt"
    agenda = "/calendars/anne/essais"
    bodies: list[tuple[str, str, list[Header], bytes]] = [
        ("PUT", path, [("If-Match", "*"), ("X-OC-Mtime", "1700000000")], b"hello"),
        ("GET", path, [("Range", "bytes=0-1"), ("If-None-Match", '"x", "y"')], b""),
        ("PROPFIND", "/spaces/essais", [("Depth", "1")], (ROOTS["PROPFIND"] % "<D:a/>").encode()),
        ("PROPPATCH", path, [("If", "(Not <DAV:no-lock>)")], BODIES["PROPPATCH"]),
        ("LOCK", path, [("Timeout", "Second-60"), ("Depth", "0")], LOCKINFO),
        ("UNLOCK", path, [("Lock-Token", "<urn:uuid:0>")], b""),
        ("MOVE", path, [("Destination", "/spaces/essais/b"), ("Overwrite", "F")], b""),
        ("COPY", "/spaces/essais", [("Destination", "http://127.0.0.1/spaces/essais/c/")], b""),
        ("DELETE", "/spaces/essais/b", [("If", '<http://x/a> (["x"] <urn:y>)')], b""),
        ("MKCOL", "/spaces/essais/d%C3%A9", [], b""),
        ("OPTIONS", "/spaces/essais/", [("Origin", "x")], b""),
        ("PUT", f"{agenda}/a.ics", [("If-None-Match", '"x"')], event("a", "Séance")),
        ("REPORT", agenda, [("Depth", "1")], QUERIES["query"].encode()),
        ("REPORT", agenda, [("Depth", "1")], QUERIES["sync"].encode()),
        ("REPORT", agenda, [("Depth", "1")], multiget(f"{agenda}/a.ics").encode()),
        ("PROPFIND", agenda, [("Depth", "1")], (ROOTS["PROPFIND"] % "<D:sync-token/>").encode()),
        (
            "PROPPATCH",
            agenda,
            [],
            (ROOTS["PROPPATCH"] % "<D:displayname>x</D:displayname>").encode(),
        ),
        (
            "MKCALENDAR",
            "/calendars/anne/x",
            [],
            (ROOTS["MKCALENDAR"] % "<D:displayname/>").encode(),
        ),
    ]
    requests = []
    for method, target, headers, body in bodies:
        length = ("Content-Length", str(len(body)))
        requests.append(head(method, target, [me, *headers, length]) + body)
        if body:
            coding = ("Transfer-Encoding", "chunked")
            requests.append(head(method, target, [me, *headers, coding]) + chunked(body))
    return requests


@pytest.fixture(scope="module")
def essais(town: Town) -> None:
    """A space for it."""
    town.space("essais", anne="contributor")


@pytest.mark.usefixtures("essais")
@pytest.mark.parametrize("seed", SEEDS)
def test_fuzz(town: Town, seed: int) -> None:
    """Answers in HTTP, at least one for whatever is not empty, and none of them a failure."""
    chance = random.Random(seed)
    requests = good_requests(town)
    for number in range(PER_SEED):
        data = fuzzed(chance, chance.choice(requests))
        with Wire(town.server.port) as wire:
            wire.pour(data)
            answers = [answer.status for answer in wire.answers()]
        # 502: another server's Destination. 505: another version of HTTP.
        failures = [status for status in answers if status >= 500 and status not in (502, 505)]
        assert not failures, (number, data, answers)
        assert answers or not data.strip(), (number, data)


def test_noise(town: Town) -> None:
    chance = random.Random(0)
    for _ in range(100):
        data = chance.randbytes(chance.randrange(1, 2000))
        with Wire(town.server.port) as wire:
            wire.pour(data)
            answers = [answer.status for answer in wire.answers()]
        assert answers and set(answers) <= {400, 414}, (data, answers)
