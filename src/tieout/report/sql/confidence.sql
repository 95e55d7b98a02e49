-- query: confidence
-- in:    match
-- out:   pass, outcome, bin, matches, lowest
-- grain: one row per (pass, outcome, bin)
-- why:   bins are twentieths named by their lower edge; only matches of groups have several lines, so only those are
--        counted distinct, which keeps ten million exact matches a quick scan
select
  pass,
  outcome,
  least(floor(confidence * 20 + 1e-9)::integer, 19) as bin,
  count(*) as matches,
  min(confidence) as lowest
from "match"
where pass not in ('group', 'settlement', 'sum')
group by pass, outcome, bin
union all
select
  pass,
  outcome,
  least(floor(confidence * 20 + 1e-9)::integer, 19) as bin,
  count(distinct match_id) as matches,
  min(confidence) as lowest
from "match"
where pass in ('group', 'settlement', 'sum')
group by pass, outcome, bin
order by pass, outcome, bin
