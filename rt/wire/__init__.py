"""Every word that crosses a wire, typed, in one place; pure."""
