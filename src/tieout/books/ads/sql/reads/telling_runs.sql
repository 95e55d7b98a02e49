select d.event_date, f.number, f.start_us, f.end_us
from followed f
join (select unnest($days::date[]) as event_date) d on d.event_date >= f.first_day and d.event_date < f.end_day
where f.leg = $leg and f.has_files
order by d.event_date, f.number desc
