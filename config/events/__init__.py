"""The words of domain events, and what others hear of one: decided here alone, for the relay and for pages. Pure."""
