-- Arithmetic that several steps share. Division of integers is explicit: // truncates toward zero in DuckDB.

-- why: micros times a rate in nanos, rounded half away from zero to micros
create or replace macro fx_product(product) as
  try_cast((product + sign(product) * 500000000) // 1000000000 as bigint);

-- why: DECIMAL(18, 6) times a million overflows its 18 digits from a million units on, and 128 bits cost 30 times as
--      much; two steps of a thousand stay exact within 18 digits below a billion units, beyond it is wide
create or replace macro to_micros(units) as
  case
    when units between -999999999 and 999999999 then cast(cast(units * 1000 as decimal(18, 3)) * 1000 as bigint)
    else try_cast(cast(units as decimal(38, 6)) * 1000000 as bigint)
  end;

-- why: a file in cents, or in thousands; rounded half away from zero to micros
create or replace macro scale_down(micros, divisor) as
  cast((micros + sign(micros) * (divisor // 2)) // divisor as bigint);

create or replace macro scale_up(micros, factor) as
  try_cast(cast(micros as hugeint) * factor as bigint);
