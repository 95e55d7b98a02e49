-- step:  sketched
-- in:    infer_sketch
-- out:   sketched(side, column_no, domain, distinct_values)
-- grain: one row per (side, column_no, domain)
-- why:   a column whose mask is zero has all its values in the sketch, so that its distinct values are counted exactly
select side, column_no, domain, count(*) as distinct_values
from infer_sketch
where mask = 0
group by side, column_no, domain
