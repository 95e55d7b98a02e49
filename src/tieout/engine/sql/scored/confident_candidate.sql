-- step:  confident_candidate
-- in:    judged_candidate, sure_candidate
-- out:   scored_candidate(preference, ours_row, theirs_row, score, score_time, score_amount, score_unit, score_text, weight_pair, weight_time, weight_amount, weight_unit, weight_text, ours_content, theirs_content)
-- grain: one row per (preference)
-- why:   the candidates of sure pairs and, after them, those of the rows that were left
with
sure as (select coalesce(max(preference), 0) as pairs from sure_candidate),
one as (
  from sure_candidate
  union all by name
  select * exclude (pairs) replace (preference + pairs as preference)
  from judged_candidate, sure
)
select
  preference, ours_row, theirs_row, score, null::double as score_time, null::double as score_amount,
  null::double as score_unit, null::double as score_text,
  weight_pair / 1e6 as weight_pair, weight_time / 1e6 as weight_time, weight_amount / 1e6 as weight_amount,
  weight_unit / 1e6 as weight_unit, weight_text / 1e6 as weight_text, ours_content, theirs_content
from one
