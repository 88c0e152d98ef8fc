"""`python -m config.embedded` (`make stores`): the stores alone, in the foreground, until it is told to stop."""

import signal
import sys
import threading

from config.embedded.errors import StoreError
from config.embedded.stores import Stores
from config.prctl import die_with_parent
from config.settings import load

WATCH_S = 0.2


def main() -> int:
    """Prints the addresses, as the settings that they are, then READY; SIGINT, SIGTERM and SIGHUP stop it (0)."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    if "--die-with-parent" in sys.argv[1:]:
        die_with_parent(signal.SIGTERM)
    stores = Stores(load().data_dir.resolve())
    try:
        stores.start()
        for name, url in stores.urls().items():
            print(f"{name}={url}", flush=True)
        print("READY", flush=True)
        while not stopping.wait(WATCH_S):
            stores.watch()
    except StoreError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    finally:
        stores.stop()
    return 0


sys.exit(main())
