-- query: export_quarantine
-- in:    quarantine
-- out:   side, file, row_no, line, column, reason_code, reason, raw
-- why:   rows that could not be read, with their place in the file
from quarantine
