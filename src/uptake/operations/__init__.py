"""The operations database: what was pulled, landed, checked, published and decided, and by whom."""
