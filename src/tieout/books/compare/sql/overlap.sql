-- step:  overlap
-- in:    infer_sketch
-- out:   overlap(ours_no, theirs_no, domain, common, ours_distinct, theirs_distinct, ours_rows, theirs_rows, ours_common_rows, theirs_common_rows, chance)
-- grain: one row per (ours_no, theirs_no, domain)
-- why:   columns that mean the same hold the same values; both sides keep the values whose hash ends in zero bits, so
--        the same values are kept on both, and a pair is judged on the sparser of its two masks. Chance is how often
--        two rows drawn at random agree.
with
pair as (
  select
    o.column_no as ours_no,
    t.column_no as theirs_no,
    o.domain,
    o.mask | t.mask as mask,
    count(*) as common,
    sum(o.rows) as ours_common_rows,
    sum(t.rows) as theirs_common_rows,
    sum(cast(o.rows as double) * t.rows) as agreeing_pairs
  from infer_sketch o
  join infer_sketch t on o.domain = t.domain and o.value_hash = t.value_hash
  where o.side = 'ours' and t.side = 'theirs' and o.value_hash & (o.mask | t.mask) = 0
  group by all
),
mask as (select distinct mask from pair),
size as (
  select s.side, s.column_no, s.domain, mask.mask, count(*) as distinct_values, sum(s.rows) as rows
  from infer_sketch s
  join mask on mask.mask >= s.mask and s.value_hash & mask.mask = 0
  group by all
)
select
  p.ours_no,
  p.theirs_no,
  p.domain,
  p.common,
  o.distinct_values as ours_distinct,
  t.distinct_values as theirs_distinct,
  cast(o.rows as bigint) as ours_rows,
  cast(t.rows as bigint) as theirs_rows,
  cast(p.ours_common_rows as bigint) as ours_common_rows,
  cast(p.theirs_common_rows as bigint) as theirs_common_rows,
  if(p.mask = 0, p.agreeing_pairs / (cast(o.rows as double) * t.rows), 0) as chance
from pair p
join size o on o.side = 'ours' and o.column_no = p.ours_no and o.domain = p.domain and o.mask = p.mask
join size t on t.side = 'theirs' and t.column_no = p.theirs_no and t.domain = p.domain and t.mask = p.mask
order by p.ours_no, p.theirs_no, p.domain
