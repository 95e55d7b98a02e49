-- step:  near_key
-- in:    lone_row
-- out:   near_key(kind, said)
-- grain: one row per (kind, said)
-- why:   what unmatched rows of both sides that carry a reference have in common, of all by which near_reference brings two
--        together; where it is nothing, there is nothing to compare. Keys of several columns and rows without any
--        amount it must look at in any case
with keyed as (select side, own_ref, currency, amount_micros from lone_row where own_ref is not null)
select 'plain' as kind, hash(plain_reference(own_ref)) as said
from keyed
group by all
having min(side) <> max(side)
union all
select 'amount', hash(currency, amount_micros)
from keyed
where amount_micros is not null
group by all
having min(side) <> max(side)
union all
select 'any', null
from keyed
having count(amount_micros) = 0 or bool_or(contains(own_ref, chr(31)))
