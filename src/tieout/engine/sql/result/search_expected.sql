-- step:  search_expected
-- in:    lone_expected, scored_candidate, ungrouped_reported, open_expected, run
-- out:   search_expected(entry_no, searched)
-- grain: one row per (entry_no)
-- empty: when lone_expected
-- types: bigint, varchar
-- why:   "no match" is a claim about a population, so it names the population that was searched
select
  l.entry_no,
  concat_ws(
    '; ',
    if(has_key and e.ref is not null, 'reference among all ' || theirs_rows || ' rows of theirs', null),
    if(has_group and e.group_ref is not null, 'group among the rows of theirs left open by reference', null),
    if(has_settlement, 'payments of its party among ' || theirs_rows || ' rows of theirs', null),
    if(
      is_scored,
      'likeness among ' || (select count(*) from ungrouped_reported) || ' open rows of theirs (same currency, within '
        || window_days || ' days, amount within a sixth or a rare word in common): '
        || coalesce(c.considered, 0) || ' in question, best '
        || coalesce(round(c.best, 2)::varchar, 'none'),
      null
    )
  ) as searched
from lone_expected l
join open_expected e using (entry_no)
left join (
  select ours_row, count(*) as considered, max(score) as best from scored_candidate group by ours_row
) c on c.ours_row = l.entry_no
cross join run
