"""Every error that the API answers with: a stable code, its HTTP status, a message for the person who called. Pure.

Over HTTP: `{"error": {"code", "message", "statusCode"}}`; in GraphQL the same three in `extensions`.
Messages hold nothing of the inside: no SQL, path, stack or secret.
"""

from typing import ClassVar


class ApiError(Exception):
    """Base of them all. `details` are extra public fields beside the code, such as the path of a bad field."""

    code: ClassVar[str] = "INTERNAL"
    status: ClassVar[int] = 500
    default_message: ClassVar[str] = "Something went wrong on our side"

    def __init__(self, message: str = "", **details: object) -> None:
        self.message = message or self.default_message
        self.details = details
        super().__init__(self.message)


class BadInput(ApiError):
    """The request itself is wrong. `field` is the path of what is wrong, such as `exercises.0.sets.2.reps`."""

    code = "BAD_INPUT"
    status = 400
    default_message = "The request is not valid"

    def __init__(self, message: str = "", field: str = "", **details: object) -> None:
        super().__init__(message, **({"field": field, **details} if field else details))
        self.field = field


class InsufficientCredits(ApiError):
    """The balance does not cover the price. Nothing was stored: after a purchase the same key may succeed."""

    code = "INSUFFICIENT_CREDITS"
    status = 400
    default_message = "There are not enough credits"


class Unauthenticated(ApiError):
    """Nobody is signed in, or the credentials are wrong; which of the two parts is wrong is never said."""

    code = "UNAUTHENTICATED"
    status = 401
    default_message = "Please sign in"


class Forbidden(ApiError):
    """Signed in, and still not allowed."""

    code = "FORBIDDEN"
    status = 403
    default_message = "This is not allowed"


class NotFound(ApiError):
    """There is no such thing, or it belongs to somebody else: both read the same."""

    code = "NOT_FOUND"
    status = 404
    default_message = "There is no such thing"


class MethodNotAllowed(ApiError):
    """The path exists, but not with this method."""

    code = "METHOD_NOT_ALLOWED"
    status = 405
    default_message = "This method is not allowed here"


class Conflict(ApiError):
    """The state of the server is against it, such as an e-mail address that has an account already."""

    code = "CONFLICT"
    status = 409
    default_message = "This conflicts with what is already there"


class IdempotencyInProgress(ApiError):
    """A request with the same key is still running."""

    code = "IDEMPOTENCY_IN_PROGRESS"
    status = 409
    default_message = "A request with this key is still running"


class PayloadTooLarge(ApiError):
    """The body is over the limit."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413
    default_message = "The request is too large"


class UnsupportedMediaType(ApiError):
    """The body is not of a type that is read here."""

    code = "UNSUPPORTED_MEDIA_TYPE"
    status = 415
    default_message = "This content type is not read here"


class IdempotencyMismatch(ApiError):
    """The key was used before, with another input. Nothing was done."""

    code = "IDEMPOTENCY_MISMATCH"
    status = 422
    default_message = "This key was used before with another input"


class RateLimited(ApiError):
    """Too much in too short a time; `retry_after_s` goes into `Retry-After`."""

    code = "RATE_LIMITED"
    status = 429
    default_message = "Too many requests"

    def __init__(self, message: str = "", retry_after_s: int = 1, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s


class Internal(ApiError):
    """A bug or an outage of ours; the log has it under the request's id."""


class RetryLater(ApiError):
    """It could not be done now, and may have been done or not: the same request with the same key settles it."""

    code = "RETRY_LATER"
    status = 503
    default_message = "Please try again in a moment"

    def __init__(self, message: str = "", retry_after_s: int = 1, **details: object) -> None:
        super().__init__(message, **details)
        self.retry_after_s = retry_after_s
