"""Events of tenants: written with the change they tell of, delivered to the endpoints that want them."""
