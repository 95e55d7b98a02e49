-- query: export_checks
-- in:    check
-- out:   side, file, name, subject, currency, stated, computed, difference, ok, message
-- why:   what the files state about themselves, held against their own rows
from "check"
