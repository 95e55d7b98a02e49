-- step:  shape
-- in:    infer_cell
-- out:   shape(column_no, shape, rows, zero_led, padded, total)
-- grain: one row per (column_no, shape)
-- why:   a column has few shapes (each digit written as 9) however many rows it has, so what a column holds is told
--        from shapes; zero_led counts 007, padded counts blanks at either end, total counts all cells of the column
select
  column_no,
  shape,
  sum(cells) as rows,
  sum(zero_led) as zero_led,
  sum(padded) as padded,
  any_value(total) as total
from (
  select
    column_no,
    regexp_replace(trim(left(value, 48)), '[0-9]', '9', 'g') as shape,
    count(*) as cells,
    count(*) filter (starts_with(trim(value), '0') and length(trim(value)) > 1) as zero_led,
    count(*) filter (value <> trim(value)) as padded,
    sum(count(*)) over (partition by column_no) as total
  from infer_cell
  where lower(trim(value)) not in ('', 'null', 'n/a', 'na', '#n/a', 'nan', 'none', 'nil', '-', '--', '—', '–')
  group by column_no, shape
)
group by column_no, shape
qualify row_number() over (partition by column_no order by sum(cells) desc, shape) <= 100
order by column_no, rows desc, shape
