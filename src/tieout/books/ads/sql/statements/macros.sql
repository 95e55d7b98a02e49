-- How the text of a statement's cell becomes a value; null where it is none, so that nothing unread becomes 0.

-- why: to trim given signs takes five times as long as to read the file; what begins with a visible ASCII sign and ends with
--      a letter or a digit, as nearly every cell does, has no blanks around it
create or replace macro if_bare(said, stripped) as
  case
    when said between '!' and '~'
      and contains('0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', array_extract(said, -1)) then said
    else stripped
  end;

-- why: a statement is exact, so a number is digits with a point; commas only where they cannot be a decimal mark
create or replace macro plain_digits(said) as
  case
    when regexp_full_match(said, '[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,2})?') then said
    when regexp_full_match(said, '[-+]?[0-9]{1,3}(,[0-9]{3})+[.][0-9]+|[-+]?[0-9]{1,3}(,[0-9]{3}){2,}')
      then replace(said, ',', '')
  end;

create or replace macro exact_number(said) as try_cast(plain_digits(said) as decimal(38, 12));

-- why: a count has no decimals, so that a lone comma in it can only stand between groups
create or replace macro whole_number(said) as
  case
    when regexp_full_match(said, '[0-9]{1,18}') then try_cast(said as bigint)
    when regexp_full_match(said, '[-+]?[0-9]{1,18}(\.0+)?') then try_cast(split_part(said, '.', 1) as bigint)
    when regexp_full_match(said, '[-+]?[0-9]{1,3}(,[0-9]{3})+') then try_cast(replace(said, ',', '') as bigint)
  end;

-- why: the number in 18 digits, where it can be one, is micros in a tenth of the time; only if it equals the exact number,
--      for it has six decimals and reads what is no exact number
create or replace macro narrow_number(said) as try_cast(said as decimal(18, 6));

-- why: micros of an amount, rounded half away from zero at the sixth decimal; null beyond 64 bits
create or replace macro micros_of(units, narrow) as
  case when narrow = units then to_micros(narrow) else to_micros(try_cast(units as decimal(38, 6))) end;

-- why: to trim given signs takes as long as to read the number
create or replace macro bare_percent(said) as
  if(ends_with(said, '%') or ends_with(said, ' '), rtrim(said, '% '), said);

-- why: a percentage in millionths
create or replace macro ppm_of(percent, narrow) as
  case
    when narrow = percent and narrow between 0 and 100 then cast(narrow * 10000 as bigint)
    else cast(percent * 10000 as bigint)
  end;

-- why: each of these says one day only, whoever reads it; 03/04/2026 does not
create or replace macro said_day(said) as
  case
    when regexp_full_match(said, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(said as date)
    when regexp_full_match(said, '[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?Z?)?')
      then cast(try_cast(rtrim(said, 'Z') as timestamp) as date)
    when regexp_full_match(said, '[0-9]{8}') then cast(try_strptime(said, '%Y%m%d') as date)
    when regexp_full_match(said, '[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}') then cast(try_strptime(said, '%Y/%m/%d') as date)
    when regexp_full_match(said, '[A-Za-z]+ [0-9]{1,2}, [0-9]{4}')
      then cast(coalesce(try_strptime(said, '%b %d, %Y'), try_strptime(said, '%B %d, %Y')) as date)
    when regexp_full_match(said, '[0-9]{1,2}[ -][A-Za-z]{3}[ -][0-9]{4}')
      then cast(try_strptime(replace(said, '-', ' '), '%d %b %Y') as date)
  end;

-- why: one form for every refusal; null where there is none, so that a row's refusals can be listed and counted
create or replace macro refusal(is_refused, cell, code, said, words) as
  if(is_refused, struct_pack("column" := cell, code := code, said := said, words := words), null);

create or replace macro missing(said, cell) as refusal(said is null, cell, 'missing_value', said, 'is empty');

create or replace macro number_refusal(said, is_read, is_negative_refused, is_fitting, cell) as
  case
    when said is null then null
    when not is_read and regexp_full_match(said, '[-+]?[0-9]{1,3},[0-9]+')
      then refusal(true, cell, 'ambiguous_number', said, 'has a comma that could be a decimal mark')
    when not is_read then refusal(true, cell, 'bad_number', said, 'is no number')
    when is_negative_refused then refusal(true, cell, 'negative_number', said, 'is negative')
    when not is_fitting then refusal(true, cell, 'number_too_large', said, 'is too large')
  end;
