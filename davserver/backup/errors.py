"""What can go wrong with a backup, or on the way back from one."""

from config.errors import DavserverError


class TargetOverlaps(DavserverError):
    """A backup inside what it backs up, or around it: it would hold itself, or go down with it."""

    exit_code = 2
    message = "{target} and {data} lie one in the other: choose another directory."


class BackupRunning(DavserverError):
    """Another process is making a backup in the same directory."""

    message = "A backup to {target} is being made already."


class TargetFull(DavserverError):
    """The disk that the backups lie on is full."""

    message = "The disk of {target} is full; what there was of the new backup was removed."


class NoBackup(DavserverError):
    """Neither a backup nor a directory that holds one."""

    exit_code = 6
    message = "There is no backup in {target}."


class UnknownFormat(DavserverError):
    """A backup whose manifest has a form that this version does not read."""

    exit_code = 3
    message = "A newer version of davserver made the backup {backup}; please install that version."


class DamagedManifest(DavserverError):
    """The list of what a backup holds is not as it was written, so nothing is sure."""

    exit_code = 8
    message = "The manifest of {backup} is missing or damaged."


class DamagedBackup(DavserverError):
    """A backup that is not restored, because it is not what was backed up."""

    exit_code = 8
    message = (
        "{path} in the backup {backup} is damaged or missing; nothing was restored. "
        "`davserver verify` lists all that is."
    )


class NotEmpty(DavserverError):
    """A directory that should be new or empty, and is not."""

    exit_code = 7
    message = "{data} is not empty, it holds {name}: choose another directory."


class DatabaseInUse(DavserverError):
    """Restoring into a database that holds something."""

    exit_code = 7
    message = "The database to restore into is not empty; name an empty one with --url."
