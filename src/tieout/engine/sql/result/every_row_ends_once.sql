-- step:  every_row_ends_once
-- in:    reference_join, entry_group, scored_match, lone_expected, lone_reported, run
-- out:   every_row_ends_once(side, rows_in, rows_out)
-- form:  check
-- why:   each row taken in is matched, or alone with a reason; none is lost and none is used twice. Pairs by reference
--        are one to one by construction (reference_is_repeated), the rest is counted by distinct row.
select side, rows_in, rows_out
from (
  select
    'ours' as side,
    (select ours_rows from run) as rows_in,
    (select count(*) from reference_join where ours_row is not null and theirs_row is not null)
      + (select count(distinct entry_no) from entry_group where side = 'ours')
      + (select count(distinct ours_row) from scored_match)
      + (select count(distinct entry_no) from lone_expected) as rows_out
  union all
  select
    'theirs',
    (select theirs_rows from run),
    (select count(*) from reference_join where ours_row is not null and theirs_row is not null)
      + (select count(distinct entry_no) from entry_group where side = 'theirs')
      + (select count(distinct theirs_row) from scored_match)
      + (select count(distinct entry_no) from lone_reported)
)
where rows_in <> rows_out
