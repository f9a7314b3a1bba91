"""What a trial imports."""
