"""Request bodies: documents flow through, all others are small and taken in whole."""

import io
from collections.abc import Callable

from config.errors import MalformedRequest
from davserver.errors import IncompleteUpload, TooLarge
from davserver.http.wsgi import Application, Body, Environ, StartResponse


class Bodies:
    """Takes in the bodies that come for `app`, chunked or not, so that it may read them freely.

    `maximum` gives the most bytes that a request of a method may have, None where the body is
    to flow through. Raises `TooLarge` before reading what is announced as larger, and
    `IncompleteUpload` for less than was announced.
    """

    def __init__(self, app: Application, maximum: Callable[[str], int | None]) -> None:
        self._app = app
        self._maximum = maximum

    def __call__(self, environ: Environ, start_response: StartResponse) -> Body:
        maximum = self._maximum(environ["REQUEST_METHOD"])
        if maximum is None:
            return self._app(environ, start_response)
        data = _read(environ, maximum)
        environ["wsgi.input"] = io.BytesIO(data)
        environ["CONTENT_LENGTH"] = str(len(data))
        environ["wsgi.input_terminated"] = False
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return self._app(environ, start_response)


def _read(environ: Environ, maximum: int) -> bytes:
    announced = environ.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal():
        raise MalformedRequest(what="Content-Length header")
    chunked = bool(environ.get("wsgi.input_terminated"))
    length = int(announced)
    if length > maximum:
        raise TooLarge()
    if not length and not chunked:
        return b""
    try:
        data: bytes = environ["wsgi.input"].read(maximum + 1 if chunked else length)
    except (OSError, ValueError):
        # The connection broke, or the chunks make no sense.
        raise IncompleteUpload() from None
    if len(data) > maximum:
        raise TooLarge()
    if not chunked and len(data) < length:
        raise IncompleteUpload()
    return data
