-- step:  superseded
-- in:    superseded_row, run
-- out:   superseded(__load, __content, __occurrence, __reason, __by)
-- form:  fact
-- why:   the rows of earlier loads that this load supersedes
select
  s.load as __load, s.content as __content, s.occurrence as __occurrence, s.reason as __reason, run.load as __by
from superseded_row s
cross join run
order by s.load, s.content, s.occurrence
