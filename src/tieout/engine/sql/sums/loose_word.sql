-- step:  loose_word
-- in:    loose_row, word_rarity
-- out:   loose_word(side, entry_no, word, rarity)
-- grain: one row per (side, entry_no, word)
-- why:   the words of three letters or more of rows that may belong to a sum, as what they mean: a name is the only thing
--        that ties the parts of a payment, and in one in fifty it is mistyped
select distinct w.side, w.entry_no, r.meant as word, r.rarity
from (select side, entry_no, unnest(words) as word from loose_row) w
join word_rarity r using (word)
where length(w.word) >= 3
