"""What became of every row and every penny: accounts, journals, and the ops tables that show them."""
