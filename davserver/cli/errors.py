"""What only the command line can find wrong."""

from config.errors import DavserverError


class NoOrganisation(DavserverError):
    """A command on a data directory or a database that was never set up."""

    exit_code = 6
    message = "There is no organisation in {data}: run `davserver init --data {data}` first."


class DatabaseTooOld(DavserverError):
    """An upgrade was installed, and the server has not been started since."""

    exit_code = 3
    message = (
        "This database was made by an older version of davserver; `davserver serve` brings it "
        "up to date when it starts."
    )


class DirectoryInUse(DavserverError):
    """`init` on a directory that holds something else, or documents without a database."""

    exit_code = 7
    message = "{data} is not empty, it holds {name}: choose another directory."


class SettingsExist(DavserverError):
    """`init --name` where davserver.toml is written already."""

    exit_code = 2
    message = "{path} exists: change the name and the language there, not with options."


class NoFolder(DavserverError):
    """A restricted folder must be there before it is restricted."""

    exit_code = 6
    message = "There is no folder {place}: make it first, with any client."


class NoDocument(DavserverError):
    """Neither now nor among what was replaced."""

    exit_code = 6
    message = "There is no document {place}, nor is a former content of one kept."


class NoPassword(DavserverError):
    """The input ended before a password came."""

    exit_code = 2
    message = "No password was given."


class PasswordsDiffer(DavserverError):
    """The repetition is not the password."""

    exit_code = 2
    message = "The two passwords are not the same; nothing was changed."


class ExpiresInPast(DavserverError):
    """An account that would be over before it begins."""

    exit_code = 2
    message = "{day} is over: choose a day to come."
