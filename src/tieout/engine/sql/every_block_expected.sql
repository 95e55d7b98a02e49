-- step:  every_block_expected
-- in:    block_expected
-- out:   every_block_expected(entry_no, …)
-- grain: one row per (entry_no)
-- why:   all rows of ours that neither a reference nor a group nor an equal row settled, for the rounds in which what an
--        earlier run settled is held against what is new
from block_expected
