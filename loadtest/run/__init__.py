"""One run of Locust: its mixes, what it counts, whether it kept its promises, and what it says at the end."""
