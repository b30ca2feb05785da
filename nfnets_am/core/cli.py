"""What all commands share: flags are checked, a user's error is one sentence and exit status 1."""

from collections.abc import Callable
import gc
import logging as stdlib_logging
import sys
import threading
from typing import Any

from absl import app
from absl import flags
from absl import logging

from nfnets_am.core import errors
from nfnets_am.core import freed_memory
from nfnets_am.core import terminal

# A signal stopped the run after it was saved: run the same command again (EX_TEMPFAIL).
EXIT_STOPPED = 75
# The loss was not finite: running it again gives the same.
EXIT_DIVERGED = 76


def run(main: Callable[[], int | None],
        take: Callable[[list[str]], list[str]] = lambda argv: argv,
        named: list[str] | None = None) -> None:
  """Runs a command: parses the flags, calls main(), and exits with what it returns.

  Args:
    main: of the command; returns an exit status.
    take: takes arguments before the flags are parsed and returns the others; raises UserError.
    named: takes the arguments that are no flags, such as names of runs; without it there are none.
  """

  def guarded(argv: list[str]) -> int | None:
    _open_log()
    try:
      if named is not None:
        named.extend(argv[1:])
      elif len(argv) > 1:
        raise errors.UserError(f'unknown argument {argv[1]!r}; all arguments are --flags')
      return main()
    except errors.UserError as e:
      return _fail(str(e))
    except OSError as e:  # A disk that is full, a mount that went away.
      return _fail(f'{e.filename or "a file"} cannot be read or written: {e.strerror or e}')
    except Exception as e:
      if not errors.is_storage(e):
        raise
      # No way to the bucket, or no right to it.
      return _fail(f'a file cannot be read or written: {" ".join(str(e).split())[:500]}')

  freed_memory.keep_buffers_of_steps()
  # What is imported by now stays to the end. To look for garbage in it again and again is an eighth
  # of a start, whose tracing makes many objects and drops few; so is it after every 700 of those.
  gc.freeze()
  gc.set_threshold(50_000, 10, 10)
  app.run(guarded, flags_parser=lambda argv: _parse(argv, take))


def parse_again(argv: list[str], take: Callable[[list[str]], list[str]]) -> None:
  """Parses the arguments of another command that this process is to be.

  Args:
    argv: its name and its arguments; where they are wrong, the process ends with a sentence.
    take: as of `run`.
  """
  flags.FLAGS.unparse_flags()
  _parse(argv, take)
  # absl keeps in its flags what it logs.
  _open_log()


def _open_log() -> None:
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  logging.set_stderrthreshold('info')
  logging.get_absl_handler().setFormatter(terminal.Formatter())
  logging.get_absl_handler().addFilter(_is_news)


def _is_news(record: Any) -> bool:
  """Whether a log record is for people.

  Orbax logs every file that it touches, and with a traceback what it also raises; asyncio, at exit,
  each of its writes that failed with the first; JAX, each kind of device that this machine lacks.
  """
  if 'orbax' in record.pathname or record.name == 'asyncio':
    return False
  return not (record.levelno <= stdlib_logging.INFO
              and 'Unable to initialize backend' in str(record.msg))


def _parse(argv: list[str], take: Callable[[list[str]], list[str]]) -> list[str]:
  try:
    return flags.FLAGS(take(argv))
  except (errors.UserError, flags.Error) as e:
    sys.exit(_fail(str(e)))
  except (AttributeError, KeyError, TypeError, ValueError, OSError) as e:
    # What ml_collections raises when an override does not fit.
    lines = [line for line in str(e).splitlines() if line.strip()]
    sys.exit(_fail(lines[-1] if lines else repr(e)))


def _fail(sentence: str) -> int:
  # What threads and destructors meet at exit, such as a closed event loop, is of the same error.
  stdlib_logging.disable()
  threading.excepthook = sys.unraisablehook = lambda _: None
  print(terminal.clean(f'error: {sentence}'), file=sys.stderr, flush=True)
  return 1
