"""Credits: balances and the double-entry ledger behind them."""
