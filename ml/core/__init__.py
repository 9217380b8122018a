"""What all families of models share: how one is declared, trained, compared, promoted, and scores."""
