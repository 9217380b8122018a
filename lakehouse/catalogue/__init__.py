"""The warehouse as static pages, derived from the declarations and the ops tables."""
