"""What the tuners that model results by regression share."""
