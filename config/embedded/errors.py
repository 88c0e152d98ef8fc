"""What can go wrong with an embedded store, said in one line that helps."""


class StoreError(Exception):
    """A store did not start, or may not; the message is one line for the person at the terminal."""
