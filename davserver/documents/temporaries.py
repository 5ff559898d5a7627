"""Names that programs give to what they need only while a document is open, or being saved."""

import re

_LOCK_FILE = re.compile(r"~\$.+|\.~lock\..+#", re.DOTALL)

_DOCUMENT = re.compile(
    r"""
      .+\.tmp                        # Word: ~WRD0001.tmp, Excel: 34429E5E.tmp, LibreOffice
    | \.{0,2}~wr[a-z]\d{4}           # Word on macOS, in a folder of its own
    | (?=.*[a-f])[0-9a-f]{6}00       # Excel: CEDD4100
    | \.goutputstream-\w{6}          # GLib: GNOME's programs
    | \..+\.sw[a-z]x? | 4913         # vim
    | \#.+\#                         # Emacs
    | .+\.(?:part|partial|filepart)  # KIO, rclone, WinSCP
    | .+\.sb-[0-9a-f]{8}-\w{6}       # macOS
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)

_FOLDER = re.compile(
    r"\(A Document Being Saved By .+\)|.+\.sb-[0-9a-f]{8}-\w{6}|\.TemporaryItems", re.DOTALL
)
# macOS makes several folders in it, one in the other.
_ITEMS = ".TemporaryItems"

# After the whole name, or instead of its ending: `~` of vim, `.~1~` of Emacs.
_BACKUP = re.compile(
    r"(?:\.~\d+)?~|[._](?:bak|backup|bk|bkp|old|orig|original|sav|save)\d*", re.IGNORECASE
)


def is_lock_file(name: str) -> bool:
    """Whether a document of this name tells that LibreOffice or Word has another one open."""
    return _LOCK_FILE.fullmatch(name) is not None


def is_temporary(path: str, *, collection: bool) -> bool:
    """Whether only a program calls a document, or a folder, so."""
    *around, name = path.split("/")
    if _ITEMS in around:
        return True
    if collection:
        return _FOLDER.fullmatch(name) is not None
    return is_lock_file(name) or _DOCUMENT.fullmatch(name) is not None


def is_backup(path: str, of: str) -> bool:
    """Whether a document is called `path` because it is a former one of the document `of`."""
    if is_temporary(path, collection=False):
        return True
    for stem in (of, of.rpartition(".")[0]):
        if stem and path.startswith(stem) and _BACKUP.fullmatch(path[len(stem) :]):
            return True
    return False
