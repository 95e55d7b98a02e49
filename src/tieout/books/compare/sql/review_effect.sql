-- query: review_effect
-- in:    matched_before, matched_after, expected, reported, numbering
-- out:   change, currency, rows, micros
-- grain: one row per (change, currency)
-- why:   what a decision moves. Of the pairs that waited: those that become automatic (they or the reviewer are sure now) and
--        those that are no pair any more; beside them pairs that wait only now. Of the rows: those that find a partner and
--        those that lose theirs. Money is that of the pair's larger amount, and of the row, without sign
with
pair as (
  select
    coalesce(b.ours_row, a.ours_row) as ours_row, coalesce(b.theirs_row, a.theirs_row) as theirs_row,
    b.outcome as before, a.outcome as after
  from (from matched_before where pass in ('scored', 'reviewed')) b
  full join (from matched_after where pass in ('scored', 'reviewed')) a
    on a.ours_row = b.ours_row and a.theirs_row = b.theirs_row
),
moved_pair as (
  select
    case
      when before = 'review' and after = 'auto' then 'becomes_automatic'
      when before = 'review' and after is null then 'no_pair_any_more'
      when after = 'review' and before is distinct from 'review' then 'waits_now'
    end as change,
    ours_row, theirs_row
  from pair
),
moved_row as (
  select if(b.ours_row is null, 'finds_partner', 'loses_partner') as change, coalesce(a.ours_row, b.ours_row) as row_no,
    'ours' as side
  from (select distinct ours_row from matched_before) b
  full join (select distinct ours_row from matched_after) a using (ours_row)
  where a.ours_row is null or b.ours_row is null
  union all
  select if(b.theirs_row is null, 'finds_partner', 'loses_partner'), coalesce(a.theirs_row, b.theirs_row), 'theirs'
  from (select distinct theirs_row from matched_before) b
  full join (select distinct theirs_row from matched_after) a using (theirs_row)
  where a.theirs_row is null or b.theirs_row is null
),
money as (
  select
    change, coalesce(nullif(o.currency, ''), t.currency, '') as currency,
    coalesce(greatest(abs(o.amount_micros), abs(t.amount_micros)), 0) as micros
  from moved_pair
  cross join numbering
  join expected o on o.entry_no = ours_row - ours_offset
  join reported t on t.entry_no = theirs_row - theirs_offset
  where change is not null
  union all
  select change, coalesce(e.currency, ''), coalesce(abs(e.amount_micros), 0)
  from moved_row
  cross join numbering
  join expected e on e.entry_no = row_no - ours_offset
  where side = 'ours'
  union all
  select change, coalesce(e.currency, ''), coalesce(abs(e.amount_micros), 0)
  from moved_row
  cross join numbering
  join reported e on e.entry_no = row_no - theirs_offset
  where side = 'theirs'
)
select change, currency, count(*) as rows, cast(sum(micros) as decimal(38, 0)) as micros
from money
group by all
order by change, currency
