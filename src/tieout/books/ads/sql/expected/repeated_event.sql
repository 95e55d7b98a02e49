-- step:  repeated_event
-- in:    paid_event
-- out:   repeated_event(request_id)
-- grain: one row per (request_id)
-- why:   few requests have several paid events, and only those need to be put in order
select request_id from paid_event group by request_id having count(*) > 1
