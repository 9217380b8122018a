"""From an order to the lists that people see, what beside it a shop could show, and how good lists are."""
