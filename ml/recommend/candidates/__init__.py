"""The first stage: many cheap generators, each with its best products for a customer."""
