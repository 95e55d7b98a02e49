-- step:  no_stored_row
-- in:
-- out:   stored_row(load, content, occurrence, key, day)
-- why:   a source into which nothing was loaded has no rows
select null::integer as load, null::blob as content, null::integer as occurrence, null::blob as key, null::date as day
where false
