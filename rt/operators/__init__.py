"""What people with a shell, and the admin page, see of the gateways: asked through Redis of every process."""
