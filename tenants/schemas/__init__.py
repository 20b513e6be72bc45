"""Schemas of tenants: read the template's DDL, replay it, keep partitions and grants right."""
