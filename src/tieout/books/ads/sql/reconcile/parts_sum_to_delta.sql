-- step:  parts_sum_to_delta
-- in:    delta, delta_unit
-- out:   parts_sum_to_delta(kind, amount_micros)
-- form:  check
-- why:   a delta is the sum of its parts, and of what its units say
select d.kind, d.amount_micros
from delta d
where
  d.amount_micros
  <> timing_micros + missing_micros + volume_micros + rate_micros + ivt_micros + duplicate_micros + unexpected_micros
union all
select kind, d.amount_micros
from (select kind, sum(amount_micros) as amount_micros from delta group by kind) d
join (select kind, sum(amount_micros) as amount_micros from delta_unit group by kind) u using (kind)
where d.amount_micros <> u.amount_micros
