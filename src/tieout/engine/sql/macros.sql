-- Arithmetic that several steps share. Division of integers is explicit: // truncates toward zero in DuckDB.

-- why: micros are 64 bits and as many below zero as above, so that each can change its sign
create or replace macro within_64_bits(micros) as
  case when micros between -9223372036854775807 and 9223372036854775807 then cast(micros as bigint) end;

-- why: micros times a rate in nanos, rounded half away from zero to micros
create or replace macro fx_product(product) as
  within_64_bits((product + sign(product) * 500000000) // 1000000000);

-- why: DECIMAL(18, 6) times a million overflows its 18 digits from a million units on, and 128 bits cost 30 times as
--      much; two steps of a thousand stay exact within 18 digits below a billion units, beyond it is wide
create or replace macro to_micros(units) as
  case
    when units between -999999999 and 999999999 then cast(cast(units * 1000 as decimal(18, 3)) * 1000 as bigint)
    when units between -9223372036854.775807 and 9223372036854.775807
      then cast(cast(units as decimal(38, 6)) * 1000000 as bigint)
  end;

-- why: a file in cents; rounded half away from zero to micros. What needs 64 bits before it is divided is wide
create or replace macro scale_down(units, divisor) as
  case
    when units between -999999999 and 999999999
      then cast((to_micros(units) + sign(to_micros(units)) * (divisor // 2)) // divisor as bigint)
    when units between -1e25 and 1e25
      then within_64_bits(
        (cast(cast(units as decimal(38, 6)) * 1000000 as hugeint) + sign(units) * (divisor // 2)) // divisor
      )
  end;

-- why: a file in thousands
create or replace macro scale_up(units, factor) as
  within_64_bits(to_micros(units)::hugeint * factor);
