"""The WsgiDAV provider: documents as resources that WsgiDAV's own GET can send."""

import os
import stat
from dataclasses import replace
from typing import Any, BinaryIO

from wsgidav.dav_provider import DAVNonCollection, DAVProvider

from acl.errors import NotFound
from davserver.documents.resource import Resource
from davserver.documents.store import open_file

DOCUMENT = "davserver.document"
"""The environ key of the document that a request has opened."""


class Document(DAVNonCollection):
    """An open document. What is sent is what was there when it was opened, whole, even if it is
    replaced meanwhile: length, ETag and content are those of one inode."""

    def __init__(self, path: str, environ: dict[str, Any], resource: Resource) -> None:
        """Open `resource`. Raises `NotFound` if it has gone, or is no plain file any more."""
        super().__init__(path, environ)
        try:
            descriptor = open_file(resource.disk)
        except OSError:
            raise NotFound() from None
        self._file: BinaryIO = os.fdopen(descriptor, "rb", buffering=0)
        self.resource = replace(resource, status=os.fstat(descriptor))
        if not stat.S_ISREG(self.resource.status.st_mode):
            self.close()
            raise NotFound()

    def close(self) -> None:
        """Close the file. Harmless when repeated."""
        self._file.close()

    def get_content_length(self) -> int:
        return self.resource.size

    def get_content_type(self) -> str:
        return self.resource.content_type

    def get_etag(self) -> str:
        # WsgiDAV adds the quotes.
        return self.resource.etag.strip('"')

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_last_modified(self) -> float:
        return int(self.resource.modified.timestamp())

    def get_content(self) -> BinaryIO:
        return self._file

    def finalize_headers(
        self, environ: dict[str, Any], response_headers: list[tuple[str, str]]
    ) -> None:
        """What keeps a browser from running a document as if it were a page of ours."""
        response_headers.append(("X-Content-Type-Options", "nosniff"))
        response_headers.append(("Content-Security-Policy", "sandbox; default-src 'none'"))


class Provider(DAVProvider):
    """The one provider, at the root: all spaces are below it, so that a MOVE can cross them."""

    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> Document | None:
        """The document that the request server has opened for this request."""
        document: Document | None = environ.get(DOCUMENT)
        return document

    def is_readonly(self) -> bool:
        return False
