"""s1ctl's own part: the site file, the ledger as it is, the state directory's files, the logs."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s1ctl.ledger.look import table_names, table_rows
from s1ctl.report.support.collect import Scope, Skipped
from s1ctl.shape import plain
from s1ctl.site.config import Site

NOT_LOOKED_INTO = ("secrets", "mounts", "work")
MOST_LOGS = 100
MOST_NAMES = 20_000


def collect_site(scope: Scope, site: Site | None, path: Path, fault: str) -> None:
    """Add the site file as it was understood: of a secret the reference, of a command its kind."""
    if site is None:
        raise Skipped(fault)
    scope.document("platform/site.json", shown(plain(site)) | {"file": str(path)})


def shown(site: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what may be a secret itself: commands, and texts where a reference belongs."""
    values = {key: _shown_value(value) for key, value in site["values"].items()}
    hooks = {key: len(commands) for key, commands in site.get("hooks", {}).items()}
    return {**_without_commands(site), "values": values, "hooks": hooks}


def _without_commands(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _without_commands(value) for key, value in data.items()}
    return "cmd" if isinstance(data, str) and data.startswith("cmd:") else data


def _shown_value(value: Any) -> Any:
    """Keep a reference, a number, a truth; of a text only that it is one."""
    if not isinstance(value, str) or value.startswith(("env:", "file:/")):
        return value
    return "cmd" if value.startswith("cmd:") else "(text)"


def collect_ledger(scope: Scope, ledger: Path) -> None:
    """Add every table, as far as each can be read."""
    if not ledger.exists():
        raise Skipped(f"there is no ledger at `{ledger}`: nothing was loaded here")
    for table in table_names(ledger):
        name = f"platform/ledger/{table}.ndjson"
        scope.attempt(table, lambda t=table, n=name: scope.rows(n, table_rows(ledger, t)))  # type: ignore[misc]


def collect_state(scope: Scope, state: Path) -> None:
    """Add the names, sizes and modes of the files in the state directory; no contents."""
    if not state.is_dir():
        raise Skipped(f"there is no state directory at `{state}`")
    scope.rows("platform/state-files.ndjson", _files(state))


def collect_logs(scope: Scope, folder: Path, name: str, since: datetime | None) -> None:
    """Add s1ctl's log and the operations' events below `name`, the newest files first."""
    if not folder.is_dir():
        raise Skipped(f"there are no logs at `{folder}`")
    found = [(path.stat().st_mtime, path) for path in folder.iterdir() if path.is_file()]
    newest = sorted(found, reverse=True)
    wanted = [path for at, path in newest if since is None or at >= since.timestamp()]
    for path in wanted[:MOST_LOGS]:
        scope.attempt(str(path), lambda path=path: scope.file(f"{name}/{path.name}", path))  # type: ignore[misc]
    if len(wanted) > MOST_LOGS:
        scope.note(f"{len(wanted) - MOST_LOGS} older logs in `{folder}` are left out")


def _files(state: Path) -> Iterator[dict[str, Any]]:
    number = 0
    for folder, folders, files in os.walk(state):
        if Path(folder) == state:
            folders[:] = [name for name in folders if name not in NOT_LOOKED_INTO]
        for name in sorted(files):
            number += 1
            if number > MOST_NAMES:
                return
            yield _file(Path(folder) / name, state)


def _file(path: Path, state: Path) -> dict[str, Any]:
    name = str(path.relative_to(state))
    try:
        found = path.lstat()
    except OSError as error:
        return {"name": name, "error": error.strerror}
    changed = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="seconds")
    mode = f"{found.st_mode & 0o7777:04o}"
    return {"name": name, "bytes": found.st_size, "mode": mode, "uid": found.st_uid, "at": changed}
