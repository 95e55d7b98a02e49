-- step:  every_block_reported
-- in:    block_reported
-- out:   every_block_reported(entry_no, …)
-- grain: one row per (entry_no)
-- why:   all rows of theirs that neither a reference nor a group nor an equal row settled, for the rounds in which what an
--        earlier run settled is held against what is new
from block_reported
