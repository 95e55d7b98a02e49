-- step:  no_repeated_reference
-- in:    expected
-- out:   repeated_reference(ref)
-- why:   stands for find_repeated_reference where counting has proved that no shared reference repeats
select ref
from expected
limit 0
