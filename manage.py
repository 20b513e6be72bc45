#!/usr/bin/env python
"""Commands for engineers on call: `manage.py help`."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "plexica.settings")
    os.environ.setdefault("PLEXICA_LOG_LEVEL", "WARNING")  # a person is watching: only what went wrong
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
