select
  network, format, country, sum(impressions), coalesce(sum(paid_micros) filter (currency = 'USD'), 0) as paid,
  coalesce(sum(expected_micros) filter (currency = 'USD'), 0) as expected, sum(expected_rows), sum(covered_rows),
  coalesce(abs(sum(expected_micros - paid_micros - explained_micros) filter (currency = 'USD')), 0)
from (/* parts */)
group by network, format, country
order by paid desc, network, format, country
