"""What people build advisors on: the base class, its commands, and the channels they go through."""
