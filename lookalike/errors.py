"""Every error a user can meet, as one tree.

    LookalikeError
    ├── InvalidInput            what was asked cannot be done as asked
    │   ├── InvalidImageId
    │   ├── InvalidThreshold
    │   ├── InvalidSource
    │   └── InvalidSchedule
    ├── NotAuthenticated        who asks has not said who they are
    │   ├── InvalidToken
    │   └── WrongCredentials
    ├── Forbidden               who asks may not do this, or not from there
    ├── NotFound                what was named does not exist, or not for this client
    ├── Conflict                the state of things forbids it now
    ├── Unavailable             a part that is needed is not there (broker, database, data directory)
    └── DecodingError           one image cannot be read; recorded by image, never fails a job
        ├── EmptyFile
        ├── NotAnImage
        ├── UnsupportedImage
        ├── CorruptImage
        ├── ImageTooLarge
        └── Unreadable          the bytes could not be fetched (gone, no permission)

Each class has a stable `code` for programs; the message is for people and says what to do.
"""

from __future__ import annotations


class LookalikeError(Exception):
    """Something went wrong that a user can understand and mend."""

    code = "error"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)


class InvalidInput(LookalikeError):
    """What was asked cannot be done as asked."""

    code = "invalid_input"


class InvalidImageId(InvalidInput):
    """An image id is not empty, has no leading or trailing slash, and no empty, '.' or '..' segment."""

    code = "invalid_image_id"


class InvalidThreshold(InvalidInput):
    """A similarity threshold is a number from 0 to 100."""

    code = "invalid_threshold"


class InvalidSource(InvalidInput):
    """The source cannot be imported."""

    code = "invalid_source"


class InvalidSchedule(InvalidInput):
    """The schedule is never due, or not as it is written."""

    code = "invalid_schedule"


class NotAuthenticated(LookalikeError):
    """This server has accounts: send `Authorization: Bearer TOKEN`, with a token from POST /connect/token."""

    code = "not_authenticated"


class InvalidToken(NotAuthenticated):
    """The token is not one of this server, or not valid any more: get a new one from POST /connect/token."""

    code = "invalid_token"


class WrongCredentials(NotAuthenticated):
    """There is no client with this id and secret."""

    code = "wrong_credentials"


class Forbidden(LookalikeError):
    """This is not allowed."""

    code = "forbidden"


class NotFound(LookalikeError):
    """What was named does not exist."""

    code = "not_found"


class Conflict(LookalikeError):
    """The present state forbids it."""

    code = "conflict"


class Unavailable(LookalikeError):
    """A part that is needed cannot be reached."""

    code = "unavailable"


class DecodingError(LookalikeError):
    """The image cannot be read."""

    code = "decoding_error"


class EmptyFile(DecodingError):
    """The file has no bytes."""

    code = "empty_file"


class NotAnImage(DecodingError):
    """The bytes are not an image of any known format."""

    code = "not_an_image"


class UnsupportedImage(DecodingError):
    """The image's format or variant is known but cannot be decoded here."""

    code = "unsupported_image"


class CorruptImage(DecodingError):
    """The image is damaged or cut short."""

    code = "corrupt_image"


class ImageTooLarge(DecodingError):
    """The image is over a limit on bytes, pixels or frames."""

    code = "image_too_large"


class Unreadable(DecodingError):
    """The image's bytes could not be fetched."""

    code = "unreadable"
