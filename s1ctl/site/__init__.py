"""What a site says and is: its file, secrets, facts."""
