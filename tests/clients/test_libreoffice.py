"""LibreOffice Writer: open from the server, edit, save, save under another name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.clients.dav import Dav
from tests.clients.front import Front
from tests.clients.program import Account, Home
from tests.server.process import Server

pytestmark = pytest.mark.needs("soffice", "/usr/lib/python3/dist-packages/uno.py", "nginx")

CONTENT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" office:version="1.2">
<office:body><office:text><text:p>Délibération</text:p></office:text></office:body>
</office:document-content>"""

MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
 manifest:version="1.2">
<manifest:file-entry manifest:full-path="/"
 manifest:media-type="application/vnd.oasis.opendocument.text"/>
<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
</manifest:manifest>"""


def odt() -> bytes:
    """The smallest text document."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", CONTENT)
    return made.getvalue()


def text_of(content: bytes) -> str:
    """What a document says, with its markup."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read("content.xml").decode()


@pytest.mark.parametrize("scheme", ["http", "vnd.sun.star.webdav"])
@pytest.mark.parametrize("name", ["note.odt", "note.txt"])
def test_edit_and_save(
    name: str,
    scheme: str,
    server: Server,
    anne: Account,
    dav: Dav,
    home: Home,
    folder: str,
) -> None:
    dav.put(folder + name, odt() if name.endswith(".odt") else "Délibération".encode())
    # Escapes as LibreOffice writes them, in lower case. With its own scheme it loses the token
    # of a lock on an escaped name and stores without it: a fault of its own, not looked at here.
    stem = "copie%20d%c3%a9finitive" if scheme == "http" else "copie"
    copy = f"{folder}{stem}.{name.rpartition('.')[2]}"
    with Front(home, server, anne) as front:
        root = f"{scheme}://{front.address}"
        ran = home.run(
            *("/usr/bin/python3", str(Path(__file__).with_name("writer.py"))),
            *(root + folder + name, root + copy, " adoptée"),
            timeout=180,
        )
        assert "Délibération adoptée" in ran.output, str(ran)
        for path in (folder + name, copy):
            text = text_of(dav.get(path))
            assert "Délibération" in text, text
            assert " adoptée" in text, text
            done = [
                method
                for method, status, asked in front.requests
                if asked == path and status < 300 and method in ("LOCK", "PUT", "UNLOCK")
            ]
            assert done[:1] == ["LOCK"] and "PUT" in done and done[-1] == "UNLOCK", front.requests
            assert dav.locks(path) == 0
    assert dav.names(folder) == {name, unquote(copy.removeprefix(folder))}
