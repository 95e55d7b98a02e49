-- Arithmetic that several steps share. Division of integers is explicit: // truncates toward zero in DuckDB.

-- why: micros times a rate in nanos, rounded half away from zero to micros
create or replace macro fx_product(product) as
  try_cast((product + sign(product) * 500000000) // 1000000000 as bigint);
