"""Errors that a user reads: one sentence that says what was found and what is allowed."""


class UserError(Exception):
  """Bad input or a broken file; the commands print its sentence and exit with status 1."""


class ConfigError(UserError):
  """A config that cannot run; raised before data or devices are touched."""


class LostHostError(UserError):
  """Another host of the run is gone; the same command on all hosts goes on."""
