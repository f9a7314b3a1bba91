"""What the programs in tools/ are made of. They need nothing but Python and pip to start."""
