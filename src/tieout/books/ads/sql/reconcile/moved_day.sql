-- step:  moved_day
-- in:    movable
-- out:   moved_day(is_short, key_no, day_no, impressions, priced_micros, moved_micros)
-- grain: one row per (is_short, key_no, day_no)
-- form:  computed
-- why:   what a day lacks is held against what other days have too much of, the nearest first, a day before to the days of
--        grace after; each impression is used once. What both sides say that those impressions are worth has moved, the
--        rest of their money (they are priced together) is price
select
  is_short, key_no, min(group_no) as group_no, bool_or(is_blank) as is_blank, day_no,
  cast(sum(impressions) as bigint) as impressions, cast(sum(micros) as bigint) as micros
from movable
group by is_short, key_no, day_no
order by is_short, key_no, day_no
