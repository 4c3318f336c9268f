"""Exit 0 when the address answers 200: `healthcheck.py http://127.0.0.1:8501/_stcore/health`."""

import sys
from urllib.request import urlopen

with urlopen(sys.argv[1], timeout=5) as answer:  # noqa: S310  an address of our own compose file
    sys.exit(answer.status != 200)
