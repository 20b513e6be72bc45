"""What a plugin imports. This package imports nothing of the platform."""
