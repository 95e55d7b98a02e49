-- step:  amount_meet
-- in:    infer_amount_ours, infer_amount_theirs
-- out:   amount_meet(ours_distinct, theirs_distinct, equal, opposite, hundredfold, hundredth, opposite_hundredfold, opposite_hundredth)
-- grain: one row
-- why:   where no key pairs rows, amounts are recognised by their values: how many distinct amounts other than zero
--        both sides share as they stand, with the other sign, and as cents against units
select
  (select count(*) from infer_amount_ours) as ours_distinct,
  (select count(*) from infer_amount_theirs) as theirs_distinct,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount = t.amount) as equal,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount = -t.amount) as opposite,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount = t.amount::decimal(38, 6) * 100) as hundredfold,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount::decimal(38, 6) * 100 = t.amount) as hundredth,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount = -t.amount::decimal(38, 6) * 100)
    as opposite_hundredfold,
  (select count(*) from infer_amount_ours o semi join infer_amount_theirs t on o.amount::decimal(38, 6) * 100 = -t.amount)
    as opposite_hundredth
