-- step:  delta_app
-- in:    delta, delta_unit
-- out:   delta_app(evidence_id, app_id, amount_micros)
-- grain: one row per (evidence_id, app_id)
-- form:  fact
-- why:   how much of each delta is of which app, so that deltas can be asked for by app
select evidence_id, coalesce(app_id, '') as app_id, cast(sum(u.amount_micros) as bigint) as amount_micros
from delta_unit u
join delta using (kind, currency)
group by all
order by evidence_id, app_id
