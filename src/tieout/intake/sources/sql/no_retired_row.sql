-- step:  no_retired_row
-- in:
-- out:   retired_row(load, content, occurrence)
-- why:   no load has superseded a row yet
select null::integer as load, null::blob as content, null::integer as occurrence
where false
