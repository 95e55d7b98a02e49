-- step:  day_fit
-- in:    said_text
-- out:   day_fit(name, said, iso, dmy, mdy, ymd, dmy_or_mdy, dmy_or_ymd, mdy_or_ymd)
-- grain: one row per (name)
-- why:   how many cells of a column each way of writing days reads, and how many two ways read differently
with day as (
  select
    name, "rows", day_iso(text) as iso, day_dmy(text) as dmy, day_mdy(text) as mdy, day_ymd(text) as ymd
  from said_text
)
select
  name,
  sum("rows")::bigint as said,
  coalesce(sum("rows") filter (iso is not null), 0)::bigint as iso,
  coalesce(sum("rows") filter (dmy is not null), 0)::bigint as dmy,
  coalesce(sum("rows") filter (mdy is not null), 0)::bigint as mdy,
  coalesce(sum("rows") filter (ymd is not null), 0)::bigint as ymd,
  coalesce(sum("rows") filter (dmy is distinct from mdy), 0)::bigint as dmy_or_mdy,
  coalesce(sum("rows") filter (dmy is distinct from ymd), 0)::bigint as dmy_or_ymd,
  coalesce(sum("rows") filter (mdy is distinct from ymd), 0)::bigint as mdy_or_ymd
from day
group by name
