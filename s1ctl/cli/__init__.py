"""The command line: the only place that asks, prints, and turns errors into exit codes."""
