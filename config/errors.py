"""Every error that is answered over HTTP: a stable code, its HTTP status, a message for the person who called. Pure.

Over HTTP: `{"error": {"code", "message", "statusCode"}}`; in GraphQL the same three in `extensions`.
Messages hold nothing of the inside: no SQL, path, stack or secret.
"""

from config.limits import RETRY_AFTER_S


class ApiError(Exception):
    """Base of them all: use the class of a code where there is one.

    `retry_after_s` goes into `Retry-After`; `field` is the path of what is wrong in the input, such as
    `exercises.0.sets.2.reps`, or empty.
    """

    def __init__(
        self, code: str, message: str, status: int, *, retry_after_s: int | None = None, field: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.field = field


class BadInput(ApiError):
    """The request itself is wrong."""

    def __init__(self, message: str = "The request is not valid", field: str = "") -> None:
        super().__init__("BAD_INPUT", message, 400, field=field)


class InsufficientCredits(ApiError):
    """The balance does not cover the price. Nothing was stored: after a purchase the same key may succeed."""

    def __init__(self, message: str = "There are not enough credits") -> None:
        super().__init__("INSUFFICIENT_CREDITS", message, 400)


class Unauthenticated(ApiError):
    """Nobody is signed in, or the credentials are wrong; which of the two parts is wrong is never said."""

    def __init__(self, message: str = "Please sign in") -> None:
        super().__init__("UNAUTHENTICATED", message, 401)


class Forbidden(ApiError):
    """Signed in, and still not allowed."""

    def __init__(self, message: str = "This is not allowed") -> None:
        super().__init__("FORBIDDEN", message, 403)


class NotFound(ApiError):
    """There is no such thing, or it belongs to somebody else: both read the same."""

    def __init__(self, message: str = "There is no such thing") -> None:
        super().__init__("NOT_FOUND", message, 404)


class MethodNotAllowed(ApiError):
    """The path exists, but not with this method."""

    def __init__(self, message: str = "This method is not allowed here") -> None:
        super().__init__("METHOD_NOT_ALLOWED", message, 405)


class Conflict(ApiError):
    """The state of the server is against it, such as an e-mail address that has an account already."""

    def __init__(self, message: str = "This conflicts with what is already there") -> None:
        super().__init__("CONFLICT", message, 409)


class PayloadTooLarge(ApiError):
    """The body is over the limit."""

    def __init__(self, message: str = "The request is too large") -> None:
        super().__init__("PAYLOAD_TOO_LARGE", message, 413)


class AnswerTooLarge(ApiError):
    """What was asked for does not fit into one answer. Of a mutation: it was done, and the same key tells what."""

    def __init__(self, message: str = "The answer is too large: ask for smaller pages") -> None:
        super().__init__("ANSWER_TOO_LARGE", message, 413)


class UnsupportedMediaType(ApiError):
    """The body is not of a type that is read here."""

    def __init__(self, message: str = "This content type is not read here") -> None:
        super().__init__("UNSUPPORTED_MEDIA_TYPE", message, 415)


class PersistedQueryNotFound(ApiError):
    """The hash is of no document that is known here: the client sends it with the text. Code, message and status are
    those of Apollo's protocol, by which clients know it."""

    def __init__(self) -> None:
        super().__init__("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound", 200)


class IdempotencyMismatch(ApiError):
    """The key was used before, with another input. Nothing was done."""

    def __init__(self, message: str = "This key was used before with another input") -> None:
        super().__init__("IDEMPOTENCY_MISMATCH", message, 422)


class RateLimited(ApiError):
    """One address asks for more at once than its share."""

    def __init__(self, message: str = "Too much at once", retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__("RATE_LIMITED", message, 429, retry_after_s=retry_after_s)


class Internal(ApiError):
    """A bug or an outage of ours; the log has it under the request's id."""

    def __init__(self, message: str = "Something went wrong on our side") -> None:
        super().__init__("INTERNAL", message, 500)


class RetryLater(ApiError):
    """It could not be done now, and may have been done or not: the same request with the same key settles it."""

    def __init__(self, message: str = "Please try again in a moment", retry_after_s: int = RETRY_AFTER_S) -> None:
        super().__init__("RETRY_LATER", message, 503, retry_after_s=retry_after_s)


class ClientLeft(Exception):
    """The client closed its connection: nobody is left to answer, and what was to be done for it is not begun."""
