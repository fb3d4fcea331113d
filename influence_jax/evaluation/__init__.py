"""Playing with frozen parameters: whole episodes, and interventions in them."""
