-- step:  repeated_hash
-- in:    window_receipt
-- out:   repeated_hash(hash)
-- grain: one row per (hash)
-- form:  computed
-- why:   few requests have several receipts. Numbers are sorted in half the time that it takes to group them, and whoever
--        has a repeated hash is looked at by name
select hash(request_id) as hash
from window_receipt
