"""The reference studio: its rules in SQL, its database server, its gateway, and who keeps them running."""
