"""gvfs, the network drive of GNOME Files, through its command `gio`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.dav import Dav
from tests.clients.program import Account, Home
from tests.server.process import Server

pytestmark = pytest.mark.needs("gio", "/usr/lib/gvfs/gvfsd-dav", "dbus-run-session")

SCRIPT = """\
set -eu
url=$1 local=$2
printf '%s\\n%s\\n' "$3" "$4" | gio mount "$url"
echo "== list"; gio list "$url"
gio copy "$local/note.txt" "$url/note.txt"
echo "== cat"; gio cat "$url/note.txt"
echo saved | gio save "$url/note.txt"
echo "== saved"; gio cat "$url/note.txt"
gio mkdir "$url/Réunion"
gio copy "$url/note.txt" "$url/R%C3%A9union/copie.txt"
gio move "$url/R%C3%A9union/copie.txt" "$url/R%C3%A9union/déplacée.txt"
gio rename "$url/R%C3%A9union" "Séance" > /dev/null
echo "== renamed"; gio list "$url" | sort
gio copy "$local/plan.bin" "$url/plan.bin"
gio copy "$url/plan.bin" "$local/back.bin"
echo "== size"; gio info -a standard::size "$url/plan.bin" | sed -n "s/.*standard::size: //p"
echo "== filesystem"; gio info -f "$url"
gio remove "$url/note.txt"
echo "== others"; gio list "$url/S%C3%A9ance"
gio mount -u "$url"
"""


def test_every_verb(
    server: Server, anne: Account, dav: Dav, home: Home, folder: str, local: Path
) -> None:
    (local / "note.txt").write_text("noté\n")
    content = bytes(range(256)) * 8_000
    (local / "plan.bin").write_bytes(content)
    dav.put(folder + "par%20un%20autre.txt", b"from another client")
    url = server.url.replace("http://", "dav://") + folder.rstrip("/")
    ran = home.run(
        *("dbus-run-session", "--", "sh", "-c", SCRIPT, "sh"),
        *(url, str(local), anne.login, anne.password),
        timeout=120,
        # gvfsd's FUSE bridge is not under test, and would leave a mount behind.
        environment={"GVFS_DISABLE_FUSE": "1", "GIO_USE_VFS": "gvfs"},
    )
    said: dict[str, list[str]] = {"": []}
    for line in ran.output.splitlines():
        if line.startswith("== "):
            said[line[3:]] = []
        else:
            said[list(said)[-1]].append(line)
    assert said["list"] == ["par un autre.txt"], str(ran)
    assert said["cat"] == ["noté"], str(ran)
    assert said["saved"] == ["saved"], str(ran)
    assert said["renamed"] == ["Séance", "note.txt", "par un autre.txt"], str(ran)
    assert said["size"] == [str(len(content))], str(ran)
    assert any("filesystem::" in line for line in said["filesystem"]), str(ran)
    assert said["others"] == ["déplacée.txt"], str(ran)
    assert (local / "back.bin").read_bytes() == content
    assert dav.names(folder) == {"Séance/", "par un autre.txt", "plan.bin"}
    assert dav.get(folder + "S%C3%A9ance/d%C3%A9plac%C3%A9e.txt") == b"saved\n"
    assert dav.get(folder + "plan.bin") == content
