"""What counts as code in a code folder, and what a copy of one holds."""
