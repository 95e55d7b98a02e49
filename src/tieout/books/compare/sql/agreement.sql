-- step:  agreement
-- in:    infer_value_ours, infer_value_theirs
-- out:   agreement(ours_no, theirs_no, domain, present, equal, opposite, hundredfold, hundredth, opposite_hundredfold, opposite_hundredth, near, close_days, lag_days, rewritten)
-- grain: one row per (ours_no, theirs_no, domain)
-- why:   how often two columns say the same on paired rows. For numbers other than zero also as the negative of each
--        other and as cents against units; near is within a tenth. For days also within five days; lag is the median
--        of theirs less ours. Rewritten are texts that are the same but for how they are folded.
select
  o.column_no as ours_no,
  t.column_no as theirs_no,
  o.domain,
  count(*) as present,
  count(*) filter (o.number = t.number or o.day = t.day or o.word = t.word) as equal,
  count(*) filter (o.number = -t.number) as opposite,
  count(*) filter (o.number = t.number::decimal(38, 6) * 100) as hundredfold,
  count(*) filter (o.number::decimal(38, 6) * 100 = t.number) as hundredth,
  count(*) filter (o.number = -t.number::decimal(38, 6) * 100) as opposite_hundredfold,
  count(*) filter (o.number::decimal(38, 6) * 100 = -t.number) as opposite_hundredth,
  count(*) filter (abs(abs(o.number) - abs(t.number)) * 10 <= abs(t.number)) as near,
  count(*) filter (abs(date_diff('day', o.day, t.day)) <= 5) as close_days,
  cast(median(date_diff('day', o.day, t.day)) as double) as lag_days,
  count(*) filter (o.word = t.word and o.spelt <> t.spelt) as rewritten
from infer_value_ours o
join infer_value_theirs t using (pair_no, domain)
group by o.column_no, t.column_no, o.domain
order by ours_no, theirs_no, o.domain
