"""One module per vendor, over one shared HTTP client, one auth module and one paging module.

A source knows how to ask its vendor and what comes back. It knows no district, no pseudonym and no warehouse.
"""
