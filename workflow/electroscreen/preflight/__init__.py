"""What is asked for, whether it can be done here, and what it will cost: told in seconds, before anything runs."""
