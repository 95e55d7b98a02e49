-- step:  pair
-- in:    infer_key_ours, infer_key_theirs
-- out:   infer_pair(pair_no, ours_row, theirs_row)
-- grain: one row per (pair_no)
-- why:   rows that a key pairs beyond doubt, at most 1,000 that the hash of the key picks, so that the order of rows
--        never matters; whether their other columns agree tells a key from an accident
select row_number() over (order by key) as pair_no, ours_row, theirs_row
from (
  select key, o.row_no as ours_row, t.row_no as theirs_row
  from infer_key_ours o
  join infer_key_theirs t using (key)
  where o.rows = 1 and t.rows = 1
  order by hash(key), key
  limit 1000
)
