"""One script for each promise about speed, each beside what a user would pick instead."""
