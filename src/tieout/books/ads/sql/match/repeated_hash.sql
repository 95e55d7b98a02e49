-- step:  repeated_hash
-- in:    stated_expected
-- out:   repeated_hash(hash)
-- grain: one row per (hash)
-- form:  computed
-- why:   periods that overlap expect the same request twice; few do, and whoever has a repeated hash is put in order
select hash(request_id) as hash
from stated_expected
