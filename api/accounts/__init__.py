"""Who somebody is: registration, sign-in, sessions of rotated refresh tokens, signed access tokens."""
