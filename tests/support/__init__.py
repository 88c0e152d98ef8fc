"""What the tests share: stores, processes, clients and checkers."""
