"""What we are compared with, and the receivers that are timed."""
