"""How the models do."""
