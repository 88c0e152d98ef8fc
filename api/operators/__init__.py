"""What the admin page shows: how the installation is, and why somebody did not get an event."""
