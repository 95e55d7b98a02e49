-- How days are written, shared by several steps. A year of two digits is tried before one of four: %Y would read 24 as
-- the year 24, which no calendar of ours has.

-- why: words that say "no day"
create or replace macro said_cell(cell) as
  if(lower(cell) in ('-', '--', 'n/a', 'na', '#n/a', 'null', 'none', 'nil', 'nat', '0000-00-00'), null, cell);

-- why: the day is taken as written: a time of day and an offset after it do not move it. Most cells have neither
create or replace macro day_part(cell) as
  case
    when contains(cell, ':') or suffix(cell, 'Z')
      then regexp_extract(cell, '^(.*?)(?:[T ,]+[0-9]{1,2}:[0-9]{2}.*|Z|[+-][0-9]{2}:[0-9]{2})?$', 1)
    else said_cell(cell)
  end;

-- why: null outside the years 1000 to 9999
create or replace macro in_calendar(moment) as
  case when moment::date between date '1000-01-01' and date '9999-12-31' then moment::date end;

-- why: trying every pattern costs a hundred times what a look at the shape does, and most cells of a file are no days
create or replace macro in_patterns(part, patterns) as
  case
    when regexp_full_match(part, '[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}|(?:[A-Za-z]{3}[,.]? )?(?:[0-9]{1,2}[-/. ]{1,2}[A-Za-z]{3,9}[-/. ]{1,2}|[A-Za-z]{3,9} [0-9]{1,2},? )[0-9]{2,4}')
      then in_calendar(try_strptime(part, patterns))
    when regexp_full_match(part, '[0-9]{8}') then in_calendar(try_strptime(part, '%Y%m%d'))
  end;

-- why: ways of writing that leave no choice of day, month and year
create or replace macro day_iso(part) as
  in_patterns(part, ['%Y-%m-%d', '%Y/%m/%d', '%Y.%m.%d', '%d %b %y', '%d-%b-%y', '%d/%b/%y', '%d %b %Y', '%d-%b-%Y', '%d/%b/%Y', '%d %B %Y', '%d. %B %Y', '%b %d, %Y', '%B %d, %Y', '%b %d %Y', '%a, %d %b %Y', '%a %d %b %Y']);

create or replace macro day_dmy(part) as
  coalesce(
    in_patterns(part, ['%d.%m.%y', '%d/%m/%y', '%d-%m-%y', '%d.%m.%Y', '%d/%m/%Y', '%d-%m-%Y']), day_iso(part)
  );

create or replace macro day_mdy(part) as
  coalesce(in_patterns(part, ['%m/%d/%y', '%m-%d-%y', '%m/%d/%Y', '%m-%d-%Y']), day_iso(part));

create or replace macro day_ymd(part) as
  coalesce(in_patterns(part, ['%y-%m-%d']), day_iso(part));

-- why: 12.31.2024 and 24.12.31 are written by nobody, and are read so only where the user says it
create or replace macro said_mdy(part) as
  coalesce(in_patterns(part, ['%m.%d.%y', '%m.%d.%Y']), day_mdy(part));

create or replace macro said_ymd(part) as
  coalesce(in_patterns(part, ['%y/%m/%d', '%y.%m.%d']), day_ymd(part));
