"""The models that vote: each forecasts what is left over the shared decomposition."""
