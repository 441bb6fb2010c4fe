"""The studio's rules over real connections."""
