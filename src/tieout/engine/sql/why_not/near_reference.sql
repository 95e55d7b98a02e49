-- step:  near_reference
-- in:    lone_row, repeated_reference, open_expected, open_reported, run
-- out:   near_reference(side, entry_no, kind, from_value, to_value, size, partner_no, rival_no, is_certain, gap_micros, lag_days)
-- grain: one row per (side, entry_no, partner_no)
-- empty: when near_key
-- types: varchar, bigint, varchar, varchar, varchar, hugeint, bigint, bigint, boolean, hugeint, bigint
-- why:   unmatched rows that both carry a reference meet as soon as one takes the other's, so what keeps them apart is how
--        the references differ: in form alone (case, signs between, zeros in front), in one of the columns that a key
--        is made of, by a few characters (a third of them at most, two that changed places count once) or
--        altogether. Looked at are rows with the same reference in plain form, with one column of the key in common, and of
--        one currency with an equal amount (where more than 200 pairs share it, of one day as well). Without amounts
--        all pairs are compared while they are few. A reference that stands more than once is no one's to take
with
keyed as (
  select *, string_split(own_ref, chr(31)) as parts, plain_reference(own_ref) as plain
  from lone_row
  where own_ref is not null
),
told_once as (
  select 'ours' as side, ref::varchar as own_ref from open_expected where ref is not null
  group by ref having count(*) = 1
  union all
  select 'theirs', ref::varchar from open_reported where ref is not null group by ref having count(*) = 1
),
partner as (
  select k.*
  from keyed k
  semi join told_once o on o.side = k.side and o.own_ref = k.own_ref
  anti join (select ref::varchar as ref from repeated_reference) r on r.ref = k.own_ref
),
subject as (select *, if(side = 'ours', 'theirs', 'ours') as other from keyed where is_subject),
has_amount as (select count(amount_micros) > 0 as is_known from keyed),
crowded as (
  select currency, amount_micros
  from keyed
  where amount_micros is not null
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
crowded_day as (
  select currency, amount_micros, day
  from keyed
  semi join crowded using (currency, amount_micros)
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
crowded_plain as (
  select plain
  from keyed
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
part as (
  select side, entry_no, unnest(range(1, len(parts) + 1)) as number, unnest(parts) as value
  from keyed
  where len(parts) > 1
),
crowded_part as (
  select number, value
  from part
  group by all
  having count(*) filter (side = 'ours') * count(*) filter (side = 'theirs') > 200
),
pair as (
  select s.side, s.entry_no, p.entry_no as partner_no
  from (from subject anti join crowded_plain using (plain)) s
  join partner p on p.side = s.other and p.plain = s.plain
  where s.plain <> ''
  union
  select s.side, s.entry_no, p.entry_no
  from (from subject anti join crowded using (currency, amount_micros)) s
  join partner p on p.side = s.other and p.currency = s.currency and p.amount_micros = s.amount_micros
  union
  select s.side, s.entry_no, p.entry_no
  from (
    from subject
    semi join crowded using (currency, amount_micros)
    anti join crowded_day using (currency, amount_micros, day)
  ) s
  join partner p
    on p.side = s.other and p.currency = s.currency and p.amount_micros = s.amount_micros and p.day = s.day
  union
  select s.side, s.entry_no, t.entry_no
  from (from part semi join subject using (side, entry_no) anti join crowded_part using (number, value)) s
  join part t on t.side <> s.side and t.number = s.number and t.value = s.value
  union
  select s.side, s.entry_no, p.entry_no
  from subject s
  join partner p on p.side = s.other
  cross join has_amount
  where not is_known and (select count(*) from subject) * (select count(*) from partner) <= 250000
),
told as (
  select
    s.side, s.entry_no, s.reason_code, p.entry_no as partner_no, s.own_ref as from_ref, p.own_ref as to_ref,
    s.plain = p.plain and s.plain <> '' as is_form_alone,
    list_filter(range(1, len(s.parts) + 1), lambda i: s.parts[i] <> p.parts[i]) as differing,
    s.parts as from_parts, p.parts as to_parts,
    len(s.parts) > 1 and len(s.parts) = len(p.parts) and len(differing) = 1 as is_one_part,
    s.amount_micros is not distinct from p.amount_micros and s.currency = p.currency as is_equal,
    damerau_levenshtein(s.own_ref, p.own_ref) as characters,
    greatest(length(s.own_ref), length(p.own_ref)) as longest,
    abs(s.amount_micros::hugeint - p.amount_micros) as gap_micros, abs(date_diff('day', s.day, p.day)) as lag_days
  from pair
  join subject s on s.side = pair.side and s.entry_no = pair.entry_no
  join partner p on p.side <> pair.side and p.entry_no = pair.partner_no
),
kind as (
  select
    *,
    case
      when is_form_alone then 'reference_form'
      when is_equal and characters <= greatest(1, longest // 3) and not is_one_part then 'reference'
      when is_one_part then 'reference_part'
      when is_equal and gap_micros is not null and reason_code <> 'duplicate'
        and coalesce(lag_days <= window_days, true) then 'other_reference'
    end as kind
  from told
  cross join run
)
select
  side, entry_no, kind,
  if(kind = 'reference_part', from_parts[differing[1]], replace(from_ref, chr(31), ' ')) as from_value,
  if(kind = 'reference_part', to_parts[differing[1]], replace(to_ref, chr(31), ' ')) as to_value,
  characters::hugeint as size, partner_no, null::bigint as rival_no, true as is_certain, gap_micros, lag_days
from kind
where kind is not null
