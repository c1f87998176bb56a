"""The command line: the only place with typer, rich, prompts and exit codes."""
