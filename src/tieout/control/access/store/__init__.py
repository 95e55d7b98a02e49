"""Every statement on the tables of access, one module a table. The connection comes first, then the tenant."""
