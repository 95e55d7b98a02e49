-- step:  sum_row
-- in:    part_candidate, loose_row, ungrouped_expected, ungrouped_reported, currency_size, evidence_expected, evidence_reported
-- out:   sum_row(match_id, ours_row, theirs_row, applied_micros, currency, kind, verdict, alternatives, outcome, confidence, reason)
-- grain: one row per (ours_row, theirs_row)
-- form:  computed
-- why:   which rows are sums of which. The query asks for those that their candidates can reach at all, with the share of
--        the other rows that have the very amount: an amount that many have is soon met by chance. Wholes come by their
--        content, candidates the likeliest first and then by content, so that the order of the files never decides
with
reached as (
  select whole_side, whole_row
  from part_candidate c
  join loose_row w on w.side = c.whole_side and w.entry_no = c.whole_row
  join loose_row p on p.side <> c.whole_side and p.entry_no = c.part_row
  group by whole_side, whole_row
  having count(*) > 1
    and sum(if(c.is_other_sign, 0, abs(p.amount_micros::hugeint) + abs(p.fee_micros)))
      + any_value(abs(w.fee_micros)) >= any_value(abs(w.amount_micros)) * 0.98
),
same_amount as (
  select currency, amount_micros, count(*) as times
  from (
    select coalesce(currency, '') as currency, amount_micros from ungrouped_expected
    union all
    select coalesce(currency, ''), amount_micros from ungrouped_reported
  )
  semi join (
    select w.currency, w.amount_micros
    from reached r
    join loose_row w on w.side = r.whole_side and w.entry_no = r.whole_row
  ) using (currency, amount_micros)
  group by all
),
copy as (
  select 'ours' as side, entry_no, copy_no from evidence_expected where copy_no > 1
  union all
  select 'theirs', entry_no, copy_no from evidence_reported where copy_no > 1
)
select
  c.whole_side = 'ours' as is_ours, c.whole_row, w.currency, w.amount_micros as whole_micros, w.fee_micros as whole_fee,
  (s.times - 1) / (z.ours_rows + z.theirs_rows) as amount_share,
  w.paired_with as whole_paired_with, w.pair_chance as whole_pair_chance, c.part_row, p.amount_micros as part_micros,
  p.fee_micros as part_fee, c.is_other_sign, c.weight, p.paired_with as part_paired_with,
  p.pair_chance as part_pair_chance
from part_candidate c
semi join reached using (whole_side, whole_row)
join loose_row w on w.side = c.whole_side and w.entry_no = c.whole_row
join loose_row p on p.side <> c.whole_side and p.entry_no = c.part_row
join same_amount s on s.currency = w.currency and s.amount_micros = w.amount_micros
join currency_size z on z.currency = w.currency
left join copy a on a.side = c.whole_side and a.entry_no = c.whole_row
left join copy b on b.side <> c.whole_side and b.entry_no = c.part_row
order by
  is_ours, w.day, w.content, coalesce(a.copy_no, 1), c.whole_row, c.weight desc, p.amount_micros, abs(c.lag_days), p.day,
  p.text, coalesce(b.copy_no, 1), c.part_row
