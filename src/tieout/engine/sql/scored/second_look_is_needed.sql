-- step:  second_look_is_needed
-- in:    sure_pair, near_amount
-- out:   second_look(is_needed)
-- why:   where no pair is sure by an equal amount and none has a near one, as where no row has an amount, the rows that are left
--        and their candidates are those of the first look
select (select count(*) from sure_pair) + (select count(*) from near_amount) > 0 as is_needed
