"""The only loop that changes a site."""
