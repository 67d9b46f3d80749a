"""What a publication prints, and what follows from it alone."""
