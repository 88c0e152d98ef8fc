"""The gateway: holds the sockets, keeps presence, fans out events. It knows no domain and opens no PostgreSQL."""
