"""The API: what gold says of a customer, a product, a series or a shop, over HTTP. It reads one release at a time."""
