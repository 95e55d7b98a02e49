-- step:  match
-- in:    reference_join, entry_group, scored_match, application_row, run
-- out:   match(match_id, ours_row, theirs_row, pass, outcome, confidence, alternatives)
-- form:  fact
-- why:   every pair that belongs together, in file order; a group has one line per pair of members. A match is named by
--        its smallest row of ours, which no other match can have. What was settled has one line per application; one
--        that a person must see puts its whole group before that person.
select
  match_id + ours_offset as match_id, ours_row + ours_offset as ours_row, theirs_row + theirs_offset as theirs_row,
  pass, outcome, confidence, alternatives
from (
  select
    ours_row as match_id, ours_row, theirs_row, 'reference' as pass, 'auto' as outcome,
    1.0::double as confidence, 0 as alternatives
  from reference_join
  where ours_row is not null and theirs_row is not null
  union all
  select o.group_no, o.entry_no, t.entry_no, 'group', 'auto', 1.0, 0
  from entry_group o
  join entry_group t on t.group_no = o.group_no and t.side = 'theirs'
  anti join application_row a on a.ours_row = o.entry_no
  where o.side = 'ours'
  union all
  select
    match_id, ours_row, theirs_row, if(kind = 'sum', 'sum', 'settlement'), max(outcome) over (partition by match_id),
    min(confidence) over (partition by match_id), alternatives
  from application_row
  where ours_row is not null
  union all
  select ours_row, ours_row, theirs_row, pass, outcome, confidence, alternatives from scored_match
)
cross join run
order by ours_row, theirs_row
