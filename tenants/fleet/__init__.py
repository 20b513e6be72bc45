"""Migrations of all tenants' schemas: the engine, its ledger, and what a migration may break.

run:     running ─> succeeded | failed | stopped     (interrupted: its process was killed; the next run says so)
tenant:  waiting ─> done | failed | busy | gone      (unreached: the run ended before its turn)
"""
