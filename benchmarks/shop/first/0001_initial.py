from importlib import import_module

Migration = import_module("benchmarks.shop.migrations.0001_initial").Migration
