select number, leg, first_day, end_day
from followed
where (leg, name) in (select (unnest($legs), unnest($names)))
