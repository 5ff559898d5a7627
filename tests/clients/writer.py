"""Run by Debian's Python, which has LibreOffice's bindings: edit a document over DAV.

writer.py URL URL_AS TEXT…: load URL, add each TEXT and store it, store it again as URL_AS, load
that, and print its text. What is printed tells the test how far it came.
"""

import importlib
import os
import subprocess
import sys
import time
from typing import Any

START_SECONDS = 60.0

FORMAT = ("FilterName", "FilterOptions")

# Not in the virtual environment that runs the tests.
uno: Any = importlib.import_module("uno")


def connect(pipe: str) -> Any:
    """LibreOffice's desktop, once it listens."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    no_connection = uno.getClass("com.sun.star.connection.NoConnectException")
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            context = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
        except no_connection:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return context.ServiceManager.createInstanceWithContext(
                "com.sun.star.frame.Desktop", context
            )


def load(desktop: Any, url: str) -> Any:
    hidden = uno.createUnoStruct("com.sun.star.beans.PropertyValue")
    hidden.Name, hidden.Value = "Hidden", True
    document = desktop.loadComponentFromURL(url, "_blank", 0, (hidden,))
    if document is None:
        raise SystemExit(f"{url} was not loaded")
    return document


def main(url: str, url_as: str, *texts: str) -> None:
    pipe = f"davserver{os.getpid()}"
    office = subprocess.Popen(
        [
            *("soffice", "--headless", "--norestore", "--nologo", "--nodefault"),
            f"--accept=pipe,name={pipe};urp;",
        ]
    )
    try:
        desktop = connect(pipe)
        document = load(desktop, url)
        if document.isReadonly():
            raise SystemExit(f"{url} was opened for reading only")
        print("loaded", flush=True)
        for text in texts:
            document.Text.insertString(document.Text.getEnd(), text, False)
            document.store()
            print("stored", flush=True)
        # As a person's Save As does: in the format it was read in.
        kept = [value for value in document.getArgs() if value.Name in FORMAT]
        document.storeAsURL(url_as, tuple(kept))
        print("stored as", flush=True)
        document.close(True)
        again = load(desktop, url_as)
        print(again.Text.getString(), flush=True)
        again.close(True)
        desktop.terminate()
        office.wait(START_SECONDS)
    finally:
        if office.poll() is None:
            office.kill()
            office.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
