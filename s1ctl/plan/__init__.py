"""Pure planning: no files, no network, no clock."""
