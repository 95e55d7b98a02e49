-- step:  record
-- in:    record_expected, record_reported, record_match, record_delta, record_delta_part, record_kpi
-- out:   record(kind, key, content, sum_side, sum_party, currency, amount_micros)
-- grain: one row per (kind, key)
-- form:  view
-- why:   all that a day is sealed with
from record_expected
union all
from record_reported
union all
from record_match
union all
from record_delta
union all
from record_delta_part
union all
from record_kpi
