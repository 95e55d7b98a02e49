-- step:  read_cell
-- in:    received_row, country_name, format_word, currency_code
-- out:   read_cell(file_no, row_no, line, event_date, app_id, ad_unit_id, country, format, currency, impressions, clicks,
--        paid, paid_micros, ivt_micros, viewable_ppm, request_id, refusals)
-- grain: one row per (file_no, row_no)
-- why:   every cell of a statement as its value beside all reasons for which the row cannot be taken; a cell that says
--        nothing readable refuses its row and never becomes 0
with
valued as (
  select
    r.*,
    said_day(r.event_date) as day,
    c.alpha_2 as country_code,
    w.format as format_said,
    k.code as currency_said,
    whole_number(r.impressions) as impression_count,
    whole_number(r.clicks) as click_count,
    exact_number(r.paid) as paid_units,
    narrow_number(r.paid) as paid_narrow,
    exact_number(r.ivt_adjustments) as ivt_units,
    narrow_number(r.ivt_adjustments) as ivt_narrow,
    exact_number(bare_percent(r.viewable_pct)) as viewable,
    narrow_number(r.viewable_pct) as viewable_narrow
  from received_row r
  left join country_name c on c.said = lower(r.country)
  left join format_word w on w.layout = r.layout and w.said = lower(r.format)
  left join currency_code k on k.code = upper(r.currency)
),
counted as (
  select
    *,
    if(is_paid_micros, whole_number(paid), micros_of(paid_units, paid_narrow)) as paid_micros,
    micros_of(ivt_units, ivt_narrow) as ivt_micros
  from valued
)
select
  file_no,
  row_no,
  line,
  day as event_date,
  app_id,
  ad_unit_id,
  country_code as country,
  format_said as format,
  currency_said as currency,
  impression_count as impressions,
  click_count as clicks,
  if(is_paid_micros, null, paid_units) as paid,
  paid_micros,
  ivt_micros,
  ppm_of(viewable, viewable_narrow) as viewable_ppm,
  request_id,
  -- to list what a row may be refused for takes half as long as all the rest, and nearly no row is
  if(
    day between date '2000-01-01' and date '2099-12-31'
      and app_id is not null
      and ad_unit_id is not null
      and country_code is not null
      and format_said is not null
      and currency_said is not null
      and impression_count >= 0
      and (clicks is null or click_count >= 0)
      and paid_micros is not null
      and (ivt_adjustments is null or ivt_micros is not null)
      and (viewable_pct is null or viewable between 0 and 100),
    [],
    list_filter(
      [
        missing(event_date, 'event_date'),
        refusal(
          event_date is not null and (day is null or day not between date '2000-01-01' and date '2099-12-31'),
          'event_date', 'bad_date', event_date, 'is no day that can be read in one way only'
        ),
        missing(app_id, 'app_id'),
        missing(ad_unit_id, 'ad_unit_id'),
        missing(country, 'country'),
        refusal(country is not null and country_code is null, 'country', 'bad_country', country, 'is no ISO 3166 country'),
        missing(format, 'format'),
        refusal(format is not null and format_said is null, 'format', 'bad_format', format, 'is no format of the layout'),
        missing(currency, 'currency'),
        refusal(
          currency is not null and currency_said is null, 'currency', 'bad_currency', currency, 'is no ISO 4217 currency'
        ),
        missing(impressions, 'impressions'),
        number_refusal(impressions, impression_count is not null, impression_count < 0, true, 'impressions'),
        number_refusal(clicks, click_count is not null, click_count < 0, true, 'clicks'),
        missing(paid, 'paid'),
        number_refusal(
          paid,
          if(is_paid_micros, paid_micros is not null, paid_units is not null),
          false,
          paid_micros is not null,
          'paid'
        ),
        number_refusal(
          ivt_adjustments, ivt_units is not null, false, ivt_micros is not null, 'ivt_adjustments'
        ),
        number_refusal(viewable_pct, viewable is not null, viewable < 0, viewable <= 100, 'viewable_pct')
      ],
      lambda one: one is not null
    )
  ) as refusals
from counted
