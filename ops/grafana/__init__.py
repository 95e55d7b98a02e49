"""Dashboards of Grafana, built from Python and kept as the JSON that Grafana loads."""
