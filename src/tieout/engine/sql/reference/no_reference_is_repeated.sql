-- step:  no_reference_is_repeated
-- in:    reference_join
-- out:   reference_repeat(is_repeated)
-- why:   stands for reference_is_repeated where nothing is joined by reference
select count(*) > 0 as is_repeated
from reference_join
