"""The whole product as real processes: what people see, and what is left after kills."""
