"""Pages and archives about operations."""
