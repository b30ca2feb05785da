"""Errors that a user reads: one sentence that says what was found and what is allowed."""

# What TensorFlow's and gcsfs' file layers and Google's library raise for a bucket; no OSErrors.
_BUCKET = ('AbortedError', 'DeadlineExceededError', 'FailedPreconditionError', 'HttpError',
           'NotFoundError', 'PermissionDeniedError', 'UnauthenticatedError', 'UnavailableError',
           'BadGateway', 'DefaultCredentialsError', 'Forbidden', 'GatewayTimeout',
           'InternalServerError', 'NotFound', 'RefreshError', 'RetryError', 'ServiceUnavailable',
           'TooManyRequests', 'TransportError', 'Unauthorized')


class UserError(Exception):
  """Bad input or a broken file; the commands print its sentence and exit with status 1."""


class ConfigError(UserError):
  """A config that cannot run; raised before data or devices are touched."""


class LostHostError(UserError):
  """Another host of the run is gone; the same command on all hosts goes on."""


def is_storage(error: BaseException) -> bool:
  """Whether an error is one of a disk or a bucket, which may be gone in a minute."""
  return isinstance(error, OSError) or type(error).__name__ in _BUCKET
