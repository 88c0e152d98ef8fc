"""Who is here now: pure rules, Lua that keeps the counts exact, and the keeper that announces leaves."""
