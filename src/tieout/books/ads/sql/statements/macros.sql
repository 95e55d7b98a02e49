-- How the text of a statement's cell becomes a value; null where it is none, so that nothing unread becomes 0.

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
    when regexp_full_match(said, '[-+]?[0-9]{1,18}(\.0+)?') then try_cast(split_part(said, '.', 1) as bigint)
    when regexp_full_match(said, '[-+]?[0-9]{1,3}(,[0-9]{3})+') then try_cast(replace(said, ',', '') as bigint)
  end;

-- why: micros of an amount, rounded half away from zero at the sixth decimal; null beyond 64 bits
create or replace macro micros_of(units) as to_micros(try_cast(units as decimal(38, 6)));

-- why: each of these says one day only, whoever reads it; 03/04/2026 does not
create or replace macro said_day(said) as
  case
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
