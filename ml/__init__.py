"""Models: trained on gold and silver, compared in MLflow, promoted on evidence, and scored back into gold."""
