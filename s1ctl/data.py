"""Where our own templates and the ledger's migrations lie."""

from pathlib import Path


def data_folder(name: str) -> Path:
    """Find `templates` or `migrations/ledger`, in the installed package or in the checkout."""
    package = Path(__file__).parent
    installed = package / "_data" / name
    return installed if installed.is_dir() else package.parent / name
