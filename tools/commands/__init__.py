"""The commands of tools/pilates.py by topic; each does its work elsewhere, loaded only when it is called."""
