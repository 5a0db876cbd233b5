"""The one error tree: each error says what happened, to what, and what to do next."""

from __future__ import annotations


class KinprintError(Exception):
    """Base of every error that Kinprint raises on purpose.

    Args:
        message: What happened, and to what (file, tensor, repo).
        hint: What to do next.

    Attributes:
        code: Stable identifier shared by the API, the CLI and ``docs/errors.md``.
        http_status: Status with which the service answers.
        exit_code: Exit code of the CLI (1 error, 2 usage or something missing).

    Example:
        >>> from kinprint import KinprintError, fingerprint_of
        >>> try:
        ...     fingerprint_of("./no-such-folder")
        ... except KinprintError as error:
        ...     error.code
        'missing'
    """

    code = "error"
    http_status = 500
    exit_code = 1
    default_hint = "Run `kinprint doctor` and read its report."

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint


class UsageError(KinprintError):
    """The request itself is wrong: a malformed repo id, an unknown option, a bad setting."""

    code = "usage"
    http_status = 400
    exit_code = 2
    default_hint = "Check the spelling; `kinprint --help` lists what is accepted."


class MissingError(KinprintError):
    """Something that the command needs is not there (a file, a folder, a database)."""

    code = "missing"
    http_status = 404
    exit_code = 2
    default_hint = "Check the path."


class CheckpointError(KinprintError):
    """A checkpoint cannot be read; names the file and, where there is one, the tensor."""

    code = "checkpoint_unreadable"
    http_status = 422
    default_hint = "Check that the file opens with the `safetensors` library."

    def __init__(
        self, message: str, *, file: str = "", tensor: str = "", hint: str | None = None
    ) -> None:
        where = " ".join(
            part for part in (file and f"in {file!r}", tensor and f"tensor {tensor!r}") if part
        )
        super().__init__(f"{message} ({where})" if where else message, hint=hint)
        self.file = file
        self.tensor = tensor


class MalformedHeaderError(CheckpointError):
    """A header is truncated, oversized, or lies about offsets, shapes or dtypes."""

    code = "malformed_header"


class MalformedIndexError(CheckpointError):
    """A shard index names a missing shard, a shard twice, or a path outside the repo."""

    code = "malformed_index"


class UnsafePickleError(CheckpointError):
    """A pickle asks for more than tensor rebuilds; it was not executed."""

    code = "unsafe_pickle"
    default_hint = "Do not load this file with `torch.load(weights_only=False)`."


class UnsupportedFormatError(CheckpointError):
    """No weights in a format that can be read by ranges."""

    code = "unsupported_format"
    default_hint = "Kinprint reads safetensors and torch zip archives (.bin, .pt, .pth)."


class LimitExceededError(CheckpointError):
    """A declared or measured size is over a named limit."""

    code = "limit_exceeded"
    default_hint = "The limits are listed in docs/errors.md."


class HubError(KinprintError):
    """The Hub, or a host it redirected to, did not give what was asked."""

    code = "hub_error"
    http_status = 502
    default_hint = "Try again later; `kinprint doctor` checks the connection to the Hub."


class RepoNotFoundError(HubError):
    """No such repo is visible (an anonymous reader cannot tell private from missing)."""

    code = "repo_not_found"
    http_status = 404
    exit_code = 2
    default_hint = "Check the spelling of owner/name, and that the repo is public."


class RevisionNotFoundError(HubError):
    """The repo exists, the revision does not."""

    code = "revision_not_found"
    http_status = 404
    exit_code = 2
    default_hint = "Use a branch, a tag or a full commit sha of this repo."


class NotPublicError(HubError):
    """The repo is private, gated or disabled; says nothing more about it."""

    code = "not_public"
    http_status = 404
    default_hint = "Only public repos are answered for."


class HostRefusedError(HubError):
    """A redirect led to a host that is not allowed, or to a private address."""

    code = "host_refused"
    default_hint = "Add the host to KINPRINT_CDN_HOSTS if you trust it."


class RangeRefusedError(HubError):
    """A server answered a range request with the whole file, or with other bytes."""

    code = "range_refused"
    default_hint = "The server does not serve ranges; download the model and read it from disk."


class HubTimeoutError(HubError):
    """A server stalled, or kept answering 429 or 5xx."""

    code = "hub_timeout"
    http_status = 504


class FingerprintError(KinprintError):
    """A fingerprint file is malformed, or of another version or sketch."""

    code = "fingerprint_unreadable"
    http_status = 422
    default_hint = "Make it again with `kinprint fingerprint SRC -o F.safetensors`."


class BudgetError(KinprintError):
    """A limit of this instance (bytes a day, queue length) is used up.

    Attributes:
        retry_after_s: Seconds after which asking again makes sense.
    """

    code = "budget_spent"
    http_status = 429
    default_hint = "Ask again later, or run `kinprint compare` on your own machine."

    def __init__(self, message: str, *, retry_after_s: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class TooManyRequestsError(BudgetError):
    """One address asked for more than this instance grants a minute or an hour."""

    code = "rate_limited"
    default_hint = "Wait as long as Retry-After says, or run your own instance."


class MalformedDumpError(KinprintError):
    """A file is no dump of an index, truncated, or holds what no dump may."""

    code = "malformed_dump"
    http_status = 422
    default_hint = "Get the dump again from whoever made it with `kinprint dump`."


class NotIndexedError(KinprintError):
    """The repo was never read here, and this kind of request does not start a reading."""

    code = "not_indexed"
    http_status = 404
    default_hint = "Ask with a plain GET, which queues the repo."


class NotReadyError(KinprintError):
    """The service cannot answer yet: the database or the worker is not there."""

    code = "not_ready"
    http_status = 503
    default_hint = "Wait a few seconds; `kinprint doctor` says what is missing."


class IndexBusyError(KinprintError):
    """Another writer held the index for longer than the time-out; nothing was changed."""

    code = "index_busy"
    http_status = 503
    default_hint = "Try again; if it stays busy, look for a stuck `kinprint` process."


class IndexUnreadableError(KinprintError):
    """The database reports damage, a full disk, or that it is no database at all."""

    code = "index_unreadable"
    default_hint = "Check the disk, then restore the database from its last backup."


class ReadingInterruptedError(KinprintError):
    """Reading a repo ended several times without an answer: it kills its worker."""

    code = "reading_interrupted"
    default_hint = "Fingerprint it on your own machine: `kinprint fingerprint owner/name`."
