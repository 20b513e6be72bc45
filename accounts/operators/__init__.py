"""Operators: who runs the platform. They sign in through the platform's own realm."""
