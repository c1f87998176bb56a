"""What `--verbose` tells of the requests that libraries make: no header, no body, no query."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

POOLS = "urllib3.connectionpool"
ANSWERED = '%s://%s:%s "%s %s %s" %s %s'


@contextmanager
def told(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand each request that was answered to `tell`, for the time of the block."""
    logger, teller = logging.getLogger(POOLS), _Teller(tell)
    level, is_handed_on = logger.level, logger.propagate
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)
        logger.setLevel(level)
        logger.propagate = is_handed_on


class _Teller(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell the one kind of record whose parts are known; a query may hold a token."""
        if record.msg != ANSWERED or not isinstance(record.args, tuple):
            return
        scheme, host, port, method, target, _, status, _ = record.args
        path = str(target).partition("?")[0]
        try:
            # Only the engine is asked without a port, through its socket.
            where = f"{scheme}://{host}:{port}" if port else "engine "
            self._tell(f"  request: {method} {where}{path} -> {status}")
        except OSError:
            self.handleError(record)

    def handleError(self, _: logging.LogRecord) -> None:  # noqa: N802 - its name in `logging`
        """Go on: that nobody hears of a request must not end it."""
