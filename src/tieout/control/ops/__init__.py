"""What operators do with durable work: jobs, schedules, breakers; what they change is audited."""
