"""The operations database: ledger, outcome records, check history, snapshots and, later, decisions."""
