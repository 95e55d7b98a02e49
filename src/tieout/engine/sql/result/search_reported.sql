-- step:  search_reported
-- in:    lone_reported, scored_candidate, ungrouped_expected, open_reported, application_row, run
-- out:   search_reported(entry_no, searched)
-- grain: one row per (entry_no)
-- empty: when lone_reported
-- types: bigint, varchar
-- why:   "no match" is a claim about a population, so it names the population that was searched
select
  l.entry_no,
  concat_ws(
    '; ',
    if(has_key and e.ref is not null, 'reference among all ' || ours_rows || ' rows of ours', null),
    if(has_group and e.group_ref is not null, 'group among the rows of ours left open by reference', null),
    if(has_settlement, 'invoices of its party among ' || ours_rows || ' rows of ours', null),
    if(
      is_scored,
      'likeness among ' || (select count(*) from ungrouped_expected) || ' open rows of ours (same currency, within '
        || window_days || ' days, amount within a sixth or a rare word in common): '
        || coalesce(c.considered, 0) || ' in question, best '
        || coalesce(round(c.best, 2)::varchar, 'none'),
      null
    ),
    a.reason
  ) as searched
from lone_reported l
join open_reported e using (entry_no)
left join (select theirs_row, reason from application_row where ours_row is null) a on a.theirs_row = l.entry_no
left join (
  select theirs_row, count(*) as considered, max(score) as best from scored_candidate group by theirs_row
) c on c.theirs_row = l.entry_no
cross join run
