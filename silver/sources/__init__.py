"""How each source becomes silver: its mappings, its codes and its clock."""
