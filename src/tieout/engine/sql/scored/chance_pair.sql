-- step:  chance_pair
-- in:    sample_expected, sample_reported
-- out:   chance_pair(ours_row, theirs_row)
-- grain: one row per (ours_row, theirs_row)
-- why:   what two rows that do not belong together have in common: every pair of the samples, or a quarter of a
--        million of them spread evenly, in place of a random draw
with
sampled as (
  select
    (select count(*) from sample_expected) as ours_rows,
    (select count(*) from sample_reported) as theirs_rows
),
size as (select theirs_rows, least(theirs_rows, 1 + 250000 // greatest(ours_rows, 1)) as turns from sampled),
turned as (
  select o.entry_no, o.place, z.theirs_rows, z.turns, unnest(range(z.turns)) as turn
  from sample_expected o
  cross join size z
)
select o.entry_no as ours_row, t.entry_no as theirs_row
from turned o
join sample_reported t on t.place = (o.place + o.turn * (o.theirs_rows // o.turns)) % o.theirs_rows
