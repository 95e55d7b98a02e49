-- step:  request_choice
-- in:    scored_pair, run
-- out:   request_choice(reported_no, expected_no, name, score_e9, outcome, reasons)
-- grain: one row per (reported_no)
-- form:  computed
-- why:   each takes its best partner and no partner is taken twice: pairs in order, a pair whose sides are both free is
--        taken. What reaches the upper threshold is sure, the rest waits for a person
select
  reported_no, expected_no, name, score_e9, if(score_e9 >= auto_e9, 'auto', 'review') as outcome,
  format(
    '{{"time":"{}","amount":"{}","unit":"{}","hints":"{}/{}"}}',
    (time_e12 / 1000000000000)::decimal(18, 6)::varchar, (amount_e12 / 1000000000000)::decimal(18, 6)::varchar,
    (unit_e12 / 1000000000000)::decimal(18, 6)::varchar, agreeing, present
  ) as reasons
from scored_pair, run
order by place
