"""The door: pseudonyms, quarantine, atomic files and the ledger. Landing knows no vendor."""
