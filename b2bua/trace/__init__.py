"""What went over the wire: ladders, captures, Homer, and what of it may be seen."""
