"""For what teams watch their systems with: each optional, one line to switch on, free if absent."""
