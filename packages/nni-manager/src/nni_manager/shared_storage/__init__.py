"""Storage that the manager and the machines that trials run on share."""
