select min(window_start_us), max(window_start_us), min(upto - count)
from (
  select window_start_us, count, sum(count) over (order by window_start_us desc) as upto
  from (/* counted */)
)
where upto > $skip and upto - count < $skip + $size
