"""A client of the live gateway in Python, of the shape of the JavaScript one: for scripts, tests and load.

It blocks, with one thread of its own; under gevent (as Locust runs it) that is a greenlet.
"""

from loadtest.client.live import LiveClient
from loadtest.client.observer import Observer
from loadtest.client.subscription import Subscription

__all__ = ["LiveClient", "Observer", "Subscription"]
