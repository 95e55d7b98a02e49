-- query: units
-- why:   micros become exact units by a decimal product; `/` on decimals would go through DOUBLE
create macro units(micros) as cast(cast(micros as decimal(19, 0)) * 0.000001 as decimal(38, 6))
