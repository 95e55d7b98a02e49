"""What runs beside Tieout to watch it: rules of Prometheus and dashboards of Grafana."""
